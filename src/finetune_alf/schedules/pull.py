"""Pulling: one function for a published schedule, a file, or a version in an MLflow registry."""

import os
import re
from pathlib import Path

from finetune_alf.errors import ScheduleError
from finetune_alf.recipe import FORGETTING_BOUND
from finetune_alf.schedules.document import MAX_BYTES
from finetune_alf.schedules.published import PUBLISHED_NAMES, published
from finetune_alf.schedules.schedule import Schedule


def pull(ref: str, uri: str | None = None, *, allow_forgetting: bool = False) -> Schedule:
    """Return a schedule by its published name (`distilbert-alf-1`), a path to a .json file, or `model@alias`.

    `uri` is the registry's MLflow store; None means $MLFLOW_TRACKING_URI, or `mlruns/mlflow.db` in the working folder.
    Raises ScheduleError for what is not a schedule, and for one whose own recipe lifts the forgetting bound unless
    `allow_forgetting`; TrackingError when the store fails.
    """
    schedule = _pull(ref, uri)
    highest = schedule.recipe.rates.highest
    if schedule.recipe.allow_forgetting and highest > FORGETTING_BOUND and not allow_forgetting:
        raise ScheduleError(
            f"{ref}: must keep embeddings and layers at {FORGETTING_BOUND:g} or below, but reaches {highest:g} with "
            "`allow_forgetting: true` of its own. Pass allow_forgetting=True if that is meant."
        )
    return schedule


def read_schedule(path: Path) -> Schedule:
    """Read a schedule's file; ScheduleError names it. No more than a megabyte is read, whatever the file is."""
    try:
        with path.open("rb") as file:
            return Schedule.from_json(file.read(MAX_BYTES + 1), str(path))
    except (OSError, ValueError) as error:
        raise ScheduleError(f"{path}: must be a file that can be read, but got {error}.") from None


def _pull(ref: str, uri: str | None) -> Schedule:
    if ref in PUBLISHED_NAMES:
        return published(ref)
    if ref.endswith(".json"):
        return read_schedule(Path(ref))
    if re.fullmatch(r"[^@/\\]+@[^@/\\]+", ref):
        # The registry brings MLflow, which the core installation is without.
        from finetune_alf.schedules.registry import Registry
        from finetune_alf.tracking.store import tracking_uri

        store = tracking_uri(Path.cwd(), uri or os.environ.get("MLFLOW_TRACKING_URI") or None)
        return Registry(store).pull(ref).schedule
    raise ScheduleError(
        f"schedule: must be one of {', '.join(PUBLISHED_NAMES)}, a path that ends in .json, or model@alias, "
        f"but got {ref[:80]!r}."
    )
