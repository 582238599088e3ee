"""The lock file of a registration: the registered schedules in full, so that another registry can be filled from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from finetune_alf.documents import Document
from finetune_alf.errors import InputError, ScheduleError
from finetune_alf.register.candidates import Candidate
from finetune_alf.schedules.registry import PulledSchedule, Registry, ScheduleVersion
from finetune_alf.schedules.schedule import Schedule


class LockedSchedule(Document):
    """A registered version, with the schedule that it holds and the digest of that."""

    version: int
    run_id: str
    digest: str
    trial: int | None
    schedule: Schedule


class LockDocument(Document):
    """results/schedules/<name>.json; schedules are by alias, candidates by score."""

    study: str
    model: str
    metric: str
    schedules: dict[str, LockedSchedule]
    candidates: tuple[Candidate, ...]


def lock_document(
    study: str,
    model: str,
    metric: str,
    schedules: Mapping[str, Schedule],
    versions: Mapping[str, ScheduleVersion],
    candidates: Sequence[Candidate],
) -> LockDocument:
    """Return the lock file's document; schedules and versions are by alias."""
    return LockDocument(
        study=study,
        model=model,
        metric=metric,
        schedules={
            alias: LockedSchedule(
                version=versions[alias].version,
                run_id=versions[alias].run_id,
                digest=schedule.digest,
                trial=schedule.provenance.trial,
                schedule=schedule,
            )
            for alias, schedule in schedules.items()
        },
        candidates=tuple(candidates),
    )


def read_lock(path: Path) -> LockDocument:
    """Return a lock file, each schedule checked against its digest. Raises InputError with the file."""
    lock = LockDocument.read(path)
    for alias, locked in lock.schedules.items():
        if locked.schedule.digest != locked.digest:
            raise InputError(
                f"{path}: {alias}: must have the digest {locked.digest[:12]} it was registered with, but has "
                f"{locked.schedule.digest[:12]}: the file was edited. Run the register stage again."
            )
    return lock


def register_schedules(
    registry: Registry, model: str, schedules: Mapping[str, Schedule], run_id: str
) -> dict[str, ScheduleVersion]:
    """Register schedules under their aliases, as artifacts of a run; return their versions by alias."""
    return {alias: registry.register(model, schedule, alias, run_id) for alias, schedule in schedules.items()}


def pull_locked(registry: Registry, lock: LockDocument, model: str) -> dict[str, PulledSchedule]:
    """Return a lock file's schedules by alias, pulled from the versions that it names, wherever the aliases are now.

    `model` is where this project registers: its registry may have been filled from a lock file of another project, or
    of an older version of the package. Raises ScheduleError when neither model has the locked digest.
    """

    def pulled(locked: LockedSchedule) -> PulledSchedule:
        if lock.model != model:
            try:
                return registry.pull_version(lock.model, locked.version, locked.digest)
            except ScheduleError:
                pass  # the error for this project's own model says what to do
        return registry.pull_version(model, locked.version, locked.digest)

    return {alias: pulled(locked) for alias, locked in lock.schedules.items()}
