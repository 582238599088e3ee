"""The lock file of a registration: the registered schedules in full, so that another registry can be filled from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from finetune_alf.documents import Document
from finetune_alf.errors import InputError
from finetune_alf.register.candidates import Candidate
from finetune_alf.schedules.registry import Registry, ScheduleVersion
from finetune_alf.schedules.schedule import Schedule


def model_name(study: str) -> str:
    """Return the name of a study's registered model."""
    return f"alf-{study}"


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
    metric: str,
    schedules: Mapping[str, Schedule],
    versions: Mapping[str, ScheduleVersion],
    candidates: Sequence[Candidate],
) -> LockDocument:
    """Return the lock file's document; schedules and versions are by alias."""
    return LockDocument(
        study=study,
        model=model_name(study),
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


def read_locked_schedules(path: Path) -> dict[str, Schedule]:
    """Return a lock file's schedules by alias, each checked against its digest. Raises InputError with the file."""
    schedules = {}
    for alias, locked in LockDocument.read(path).schedules.items():
        if locked.schedule.digest != locked.digest:
            raise InputError(
                f"{path}: {alias}: must have the digest {locked.digest[:12]} it was registered with, but has "
                f"{locked.schedule.digest[:12]}: the file was edited. Run the register stage again."
            )
        schedules[alias] = locked.schedule
    return schedules


def register_schedules(
    registry: Registry, study: str, schedules: Mapping[str, Schedule], run_id: str
) -> dict[str, ScheduleVersion]:
    """Register schedules under their aliases, as artifacts of a run; return their versions by alias."""
    return {
        alias: registry.register(model_name(study), schedule, alias, run_id) for alias, schedule in schedules.items()
    }
