"""Versions, devices and precisions."""

import os
import platform
from collections.abc import Iterator
from importlib import metadata, util

from finetune_alf import __version__
from finetune_alf.compute import resolve
from finetune_alf.compute.cores import usable_cores
from finetune_alf.compute.spec import ComputeSpec
from finetune_alf.doctor.finding import Finding
from finetune_alf.errors import AlfError

PACKAGES = {
    "pipeline": ("torch", "transformers", "datasets", "optuna", "mlflow", "dvc", "altair"),
    "peft": ("peft",),
    "ray": ("ray",),
    "postgres": ("psycopg",),
}
"""The packages whose versions are shown, by the extra that installs them."""


def versions() -> Iterator[Finding]:
    """Yield the version of Python, of this package, and of the packages that do the work."""
    topic = "versions"
    yield Finding(topic, "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding(topic, "finetune-alf", __version__)
    for extra, packages in PACKAGES.items():
        for package in packages:
            yield Finding(topic, package, _version(package, extra))


def devices(spec: ComputeSpec) -> Iterator[Finding]:
    """Yield what fits can run on here, and what the section `compute` makes of it."""
    topic = "devices"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Finding(topic, "cpu", f"{_cores()}, {memory:.0f} GiB of memory")
    if util.find_spec("torch") is None:
        yield Finding(topic, "compute", "torch is not installed", 'Run `pip install "finetune-alf[pipeline]"`.')
        return
    import torch

    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        yield Finding(
            topic, f"cuda:{number}", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB of memory"
        )
    try:
        compute = resolve(spec)
    except AlfError as error:
        yield Finding(topic, "compute", str(error), "Change `compute` in params.yaml.")
        return
    threads = compute.n_threads or torch.get_num_threads()
    yield Finding(topic, "compute", f"{compute.device} in {compute.precision}, threads of a process: {threads}")


def _cores() -> str:
    """Return how many cores this process may use, of how many; not every system says so."""
    n_cores = os.cpu_count()
    return "cores unknown" if n_cores is None else f"{usable_cores()} of {n_cores} cores for this process"


def _version(package: str, extra: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return f"not installed; it comes with finetune-alf[{extra}]"
