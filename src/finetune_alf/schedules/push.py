"""Push a schedule to a registry: a run of its own holds the file, and the alias points to the new version."""

from pathlib import Path

from finetune_alf.schedules.names import check_names
from finetune_alf.schedules.registry import Registry, ScheduleVersion
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.tracking.mlflow import MlflowTracker


def push(schedule: Schedule, ref: str, uri: str) -> ScheduleVersion:
    """Register a schedule as `model@alias` in the store of an absolute URI, and return its version.

    An equal schedule is not registered twice: the alias moves. Raises ScheduleError for a name that is none.
    """
    model, _, alias = ref.partition("@")
    check_names(model, alias)
    tracker = MlflowTracker(Path(), uri)
    key = f"push/{model}/{schedule.digest[:16]}"
    run_id = tracker.start_parent_run(key, f"push {schedule.name}", {"alf.schedule": schedule.name})
    version = Registry(tracker.uri).register(model, schedule, alias, run_id)
    tracker.end_parent_run(run_id, "FINISHED", {})
    return version
