"""Environments: in what a fit ran. One is written down when the fit begins; documents list all that took part."""

from collections import Counter
from collections.abc import Iterable
from importlib import metadata

from finetune_alf import __version__
from finetune_alf.compute.resolved import Compute
from finetune_alf.compute.spec import Precision
from finetune_alf.documents import Document

RECORDED_PACKAGES = ("optuna", "torch", "transformers")
"""Packages whose versions are recorded beside this one's."""


class Environment(Document):
    """The machine's part in a fit, how it was run, and the code: the commit of the project's folder, and versions."""

    device: str
    precision: Precision
    n_threads: int
    micro_batch: int | None = None
    git_commit: str | None
    versions: dict[str, str | None]


class EnvironmentShare(Document):
    """An environment, and how many of the fits ran in it."""

    environment: Environment
    n_fits: int


def environment_of(compute: Compute, git_commit: str | None) -> Environment:
    """Return the environment of fits that this process runs, or has its workers run."""
    import torch

    return Environment(
        device=", ".join(compute.devices) or compute.device,
        precision=compute.precision,
        n_threads=compute.n_threads or torch.get_num_threads(),
        micro_batch=compute.micro_batch,
        git_commit=git_commit,
        versions=package_versions(),
    )


def shares(environments: Iterable[Environment]) -> tuple[EnvironmentShare, ...]:
    """Return each environment with its number of fits, in the order in which they first occur."""
    counts = Counter(environment.model_dump_json() for environment in environments)
    return tuple(
        EnvironmentShare(environment=Environment.model_validate_json(one), n_fits=n) for one, n in counts.items()
    )


def merged(parts: Iterable[Iterable[EnvironmentShare]]) -> tuple[EnvironmentShare, ...]:
    """Return the environments of several parts of some work, each with its number of fits in all."""
    counts: Counter[str] = Counter()
    for share in (share for part in parts for share in part):
        counts[share.environment.model_dump_json()] += share.n_fits
    return tuple(
        EnvironmentShare(environment=Environment.model_validate_json(one), n_fits=n) for one, n in counts.items()
    )


def package_versions() -> dict[str, str | None]:
    """Return the versions of this package and of RECORDED_PACKAGES; None for one that is not installed."""
    return {"finetune_alf": __version__, **{name: _version(name) for name in RECORDED_PACKAGES}}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
