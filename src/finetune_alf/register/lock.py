"""The lock file of a registration: the registered schedules in full, so that another registry can be filled from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune_alf.errors import InputError
from finetune_alf.files import canonical_json, read_json
from finetune_alf.register.candidates import Candidate
from finetune_alf.schedules.registry import Registry, ScheduleVersion
from finetune_alf.schedules.schedule import Schedule


def model_name(study: str) -> str:
    """Return the name of a study's registered model."""
    return f"alf-{study}"


def lock_document(
    study: str,
    metric: str,
    schedules: Mapping[str, Schedule],
    versions: Mapping[str, ScheduleVersion],
    candidates: Sequence[Candidate],
) -> dict[str, Any]:
    """Return the lock file's content; schedules and versions are by alias."""
    return {
        "study": study,
        "model": model_name(study),
        "metric": metric,
        "schedules": {
            alias: {
                "version": versions[alias].version,
                "run_id": versions[alias].run_id,
                "digest": schedule.digest,
                "trial": schedule.provenance.trial,
                "schedule": schedule.model_dump(mode="json"),
            }
            for alias, schedule in schedules.items()
        },
        "candidates": [candidate.model_dump(mode="json") for candidate in candidates],
    }


def read_locked_schedules(path: Path) -> dict[str, Schedule]:
    """Return a lock file's schedules by alias, each checked against its digest. Raises InputError with the file."""
    document = read_json(path)
    schedules = {}
    try:
        for alias, entry in document["schedules"].items():
            schedule = Schedule.from_json(canonical_json(entry["schedule"]), f"{path}: {alias}")
            if schedule.digest != entry["digest"]:
                raise InputError(
                    f"{path}: {alias}: must have the digest {entry['digest'][:12]} it was registered with, but has "
                    f"{schedule.digest[:12]}: the file was edited. Run the register stage again."
                )
            schedules[alias] = schedule
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: must be a lock file, but got {error!r}. Run the register stage again.") from None
    return schedules


def register_schedules(
    registry: Registry, study: str, schedules: Mapping[str, Schedule], run_id: str
) -> dict[str, ScheduleVersion]:
    """Register schedules under their aliases, as artifacts of a run; return their versions by alias."""
    return {
        alias: registry.register(model_name(study), schedule, alias, run_id) for alias, schedule in schedules.items()
    }
