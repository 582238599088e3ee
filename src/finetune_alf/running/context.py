"""What every stage is given: parameters, paths, and a console for its log and progress."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from finetune_alf.compute import Compute, Environment, resolve
from finetune_alf.compute.environment import environment_of
from finetune_alf.data.spec import MixtureSpec, SampleSpec
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.execute.jobs import Executor
from finetune_alf.locks import hold_lock
from finetune_alf.params import Params
from finetune_alf.params.section import entry
from finetune_alf.paths import Paths
from finetune_alf.running.project import project_id
from finetune_alf.running.study_server import study_server
from finetune_alf.study.server import StudyServer
from finetune_alf.study.spec import StudySpec


class ProgressBar(Protocol):
    """A progress bar."""

    def advance(self, note: str = "", *, step: str = "", is_new: bool = True) -> None:
        """Advance by one; the note is shown beside the bar, and `step` is the name that its epochs were given.

        A step that is not new was done by an earlier start: it says nothing about the time that is left.
        """
        ...

    def epoch(self, step: str, number: int, of: int, seconds: float) -> None:
        """Move within a step: its fit has ended an epoch, the first one is 1, which took so many seconds."""
        ...


class Console(Protocol):
    """Where a stage logs what it did and shows its progress."""

    def log(self, text: str) -> None:
        """Log one line."""
        ...

    def doing(self, text: str) -> None:
        """Say what takes a while from now on, for somebody who watches: a log does without it."""
        ...

    def progress(self, label: str, total: int) -> AbstractContextManager[ProgressBar]:
        """Show progress towards a total."""
        ...


class SilentConsole:
    """Shows nothing: for use from Python."""

    def log(self, text: str) -> None:
        """Drop the line."""

    def doing(self, text: str) -> None:
        """Drop the line."""

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[ProgressBar]:
        """Yield a bar that is not shown."""
        yield _SilentBar()


class _SilentBar:
    def advance(self, note: str = "", *, step: str = "", is_new: bool = True) -> None:
        """Show nothing."""

    def epoch(self, step: str, number: int, of: int, seconds: float) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Context:
    """What a stage works with."""

    params: Params
    paths: Paths
    console: Console = field(default_factory=SilentConsole)
    _locked_stages: set[str] = field(default_factory=set, repr=False, compare=False)

    @contextmanager
    def lock(self, stage: str) -> Iterator[None]:
        """Hold a stage's lock; LockedError names the process that holds it. Within it, the same lock is held again.

        So a command takes it before it loads what the stage works with, and a stage that is called from Python too.
        """
        if stage in self._locked_stages:
            yield
            return
        with hold_lock(self.paths.studies / f"{stage}.lock"):
            self._locked_stages.add(stage)
            try:
                yield
            finally:
                self._locked_stages.discard(stage)

    @cached_property
    def compute(self) -> Compute:
        """The section `compute` as it is on this machine; ParamsError when it lacks the device."""
        return resolve(self.params.compute)

    @cached_property
    def environment(self) -> Environment:
        """The environment of the fits that this process runs."""
        return environment_of(self.compute, git_commit(self.paths.root))

    def executor(self) -> Executor:
        """Return the executor that `compute` describes; ParamsError where it needs what is not installed."""
        from finetune_alf.running.executors import executor_of

        return executor_of(self.params.compute, self.compute)

    @cached_property
    def study_server(self) -> StudyServer | None:
        """The server that holds the studies; None where they are files of this project."""
        return study_server(self.params, os.environ)

    @property
    def project(self) -> str:
        """The id of the project in MLflow."""
        return project_id(self.params.project, self.paths)

    def study(self, name: str) -> StudySpec:
        """Return the study of this name; InputError names those there are."""
        return entry("studies", self.params.studies, name)

    def sample(self, name: str) -> SampleSpec | MixtureSpec:
        """Return the sample or mixture of this name; InputError names those there are."""
        return entry("samples", self.params.samples, name)

    def encoder(self, name: str) -> EncoderSpec:
        """Return the encoder of this name; InputError names those there are."""
        return entry("encoders", self.params.encoders, name)


def git_commit(root: Path) -> str | None:
    """Return the commit of the repository that holds this folder, if there is one."""
    try:
        completed = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "-C", str(root), "rev-parse", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return completed.stdout.strip() or None if completed.returncode == 0 else None
