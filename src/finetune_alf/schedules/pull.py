"""Pull a schedule: one that the thesis published, a file, or a version in an MLflow registry."""

from pathlib import Path

from finetune_alf.errors import ScheduleError
from finetune_alf.nearest import did_you_mean
from finetune_alf.os_errors import check_regular
from finetune_alf.rates import setting_text
from finetune_alf.recipe import FORGETTING_BOUND
from finetune_alf.schedules.document import MAX_BYTES
from finetune_alf.schedules.published import PUBLISHED_NAMES, published
from finetune_alf.schedules.reference import is_file, is_registered, is_yaml
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.schedules.yaml_text import json_of_yaml


def pull(ref: str, uri: str | None = None, *, allow_forgetting: bool = False) -> Schedule:
    """Return a schedule by its published name (`distilbert-alf-1`), the path of a JSON or YAML file, or `model@alias`.

    `uri` is the tracking URI of the registry; the default is $MLFLOW_TRACKING_URI, or `mlruns/mlflow.db` in the working
    directory. Raises ScheduleError for anything that is not a schedule, and for a schedule with rates above the
    forgetting bound unless `allow_forgetting`; TrackingError when the store fails.
    """
    schedule = _load(ref, uri)
    highest = schedule.recipe.rates.highest
    if schedule.recipe.allow_forgetting and highest > FORGETTING_BOUND and not allow_forgetting:
        raise ScheduleError(
            f"{ref}: must have rates of at most {setting_text(FORGETTING_BOUND)} for embeddings and layers, but got "
            f"{setting_text(highest)}, with `allow_forgetting: true` in its recipe. "
            "To accept it, pass allow_forgetting=True, --allow-forgetting to a command of `schedules`, or set "
            "`allow_forgetting: true` in the recipe of params.yaml that names it."
        )
    return schedule


def read_schedule(path: Path) -> Schedule:
    """Read a schedule from a JSON or YAML file of at most one megabyte. Raises ScheduleError with the path."""
    check_regular(path, ScheduleError)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        return Schedule.from_json(json_of_yaml(content, str(path)) if is_yaml(path) else content, str(path))
    except (OSError, ValueError) as error:
        raise ScheduleError(f"{path}: must be a readable file, but got {error}.") from None


def _load(ref: str, uri: str | None) -> Schedule:
    if ref in PUBLISHED_NAMES:
        return published(ref)
    if is_file(ref):
        return read_schedule(Path(ref))
    if is_registered(ref):
        # The registry imports MLflow, which the core installation lacks.
        from finetune_alf.schedules.registry import Registry
        from finetune_alf.tracking.store import named_store, tracking_uri

        store = tracking_uri(Path.cwd(), named_store(uri))
        return Registry(store).pull(ref).schedule
    raise ScheduleError(
        f"schedule: must be one of {', '.join(PUBLISHED_NAMES)}, a path that ends in .json or .yaml, or model@alias, "
        f"but got {ref[:80]!r}{did_you_mean(ref, PUBLISHED_NAMES)}."
    )
