"""What every stage is given: parameters, paths, and somebody to tell how it goes."""

import ctypes
import os
import platform
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from finetune_alf.data.spec import MixtureSpec, SampleSpec
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import InputError
from finetune_alf.execute.jobs import Executor
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.experiments.multitask.spec import MultitaskSpec
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.files import hold_lock
from finetune_alf.params import Params
from finetune_alf.paths import Paths
from finetune_alf.study.spec import StudySpec

T = TypeVar("T")


class Bar(Protocol):
    """Progress of something long."""

    def advance(self, note: str = "") -> None:
        """Move on by one; the note says how it stands."""
        ...


class Teller(Protocol):
    """Whoever runs a stage and wants to know how it goes."""

    def say(self, text: str) -> None:
        """Tell one line."""
        ...

    def bar(self, label: str, total: int) -> AbstractContextManager[Bar]:
        """Tell of progress towards a total."""
        ...


class SilentTeller:
    """Tells nobody: for use from Python."""

    def say(self, text: str) -> None:
        """Keep quiet."""

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Bar]:
        """Yield a bar that nobody sees."""
        yield _SilentBar()


class _SilentBar:
    def advance(self, note: str = "") -> None:
        """Keep quiet."""


@dataclass(frozen=True)
class Context:
    """What a stage works with."""

    params: Params
    paths: Paths
    teller: Teller = field(default_factory=SilentTeller)

    @contextmanager
    def lock(self, stage: str) -> Iterator[None]:
        """Hold a stage's lock: a second process at the same outputs is refused, and named."""
        self.die_with_dvc()
        with hold_lock(self.paths.studies / f"{stage}.lock"):
            yield

    def die_with_dvc(self) -> None:
        """Ask Linux to end a DVC stage with its `dvc repro`: a killed one would leave it writing beside the next."""
        if "DVC_STAGE" in os.environ and platform.system() == "Linux":
            ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG

    def executor(self) -> Executor:
        """Return what runs the jobs, as `compute.n_workers` and `compute.n_fused` ask."""
        from finetune_alf.execute.fused import FusedExecutor
        from finetune_alf.execute.pool import PoolExecutor
        from finetune_alf.execute.serial import SerialExecutor

        compute = self.params.compute
        if compute.n_fused > 1:
            return FusedExecutor(compute.n_fused)
        return SerialExecutor() if compute.n_workers == 1 else PoolExecutor(compute.n_workers)

    def study(self, name: str) -> StudySpec:
        """Return the study of this name; InputError names those there are."""
        return _entry("studies", self.params.studies, name)

    def sample(self, name: str) -> SampleSpec | MixtureSpec:
        """Return the sample or mixture of this name; InputError names those there are."""
        return _entry("samples", self.params.samples, name)

    def sweep(self, name: str) -> FreezeSpec:
        """Return the freeze sweep of this name; InputError names those there are."""
        return _entry("freeze", self.params.freeze, name)

    def testbed(self, name: str) -> SchemesSpec:
        """Return the testbed of schemes of this name; InputError names those there are."""
        return _entry("schemes", self.params.schemes, name)

    def mixing(self, name: str) -> MultitaskSpec:
        """Return the multi-task experiment of this name; InputError names those there are."""
        return _entry("multitask", self.params.multitask, name)

    def adaptation(self, name: str) -> AdaptSpec:
        """Return the adaptation of this name; InputError names those there are."""
        return _entry("adapt", self.params.adapt, name)

    def encoder(self, name: str) -> EncoderSpec:
        """Return the encoder of this name; InputError names those there are."""
        return _entry("encoders", self.params.encoders, name)


def _entry(section: str, there: Mapping[str, T], name: str) -> T:
    if name not in there:
        raise InputError(
            f"{section}: must have an entry `{name}`, but got {', '.join(there) or 'none'}. Check params.yaml."
        )
    return there[name]


def git_commit(root: Path) -> str | None:
    """Return the commit of the repository that holds this folder, if there is one."""
    try:
        asked = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "-C", str(root), "rev-parse", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None if asked.returncode == 0 else None
