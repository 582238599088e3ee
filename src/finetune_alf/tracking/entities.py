"""Our records as MLflow's entities: metrics, params and tags in batches that a store takes, and data sets."""

import getpass
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

from finetune_alf.tracking.record import Dataset, Metric

T = TypeVar("T")

SOURCE_NAME = "finetune-alf"
DIGEST_LENGTH = 16
N_METRICS_PER_BATCH, N_PARAMS_PER_BATCH = 800, 100  # log_batch takes 100 params, 100 tags and 1,000 items in all


def log_batches(
    metrics: Sequence[Metric] = (), params: Mapping[str, str] | None = None, tags: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield arguments for `log_batch` that write all of these."""
    from mlflow.entities import Metric as MlflowMetric
    from mlflow.entities import Param, RunTag

    batches = zip_longest(
        _parts([MlflowMetric(m.name, m.value, m.timestamp_ms, m.step) for m in metrics], N_METRICS_PER_BATCH),
        _parts([Param(name, value) for name, value in (params or {}).items()], N_PARAMS_PER_BATCH),
        _parts([RunTag(name, value) for name, value in (tags or {}).items()], N_PARAMS_PER_BATCH),
        fillvalue=(),
    )
    for metric_batch, param_batch, tag_batch in batches:
        yield {"metrics": metric_batch, "params": param_batch, "tags": tag_batch}


def dataset_inputs(datasets: Sequence[Dataset]) -> list[Any]:
    """Return the data sets of a run as its inputs."""
    from mlflow.entities import Dataset as MlflowDataset
    from mlflow.entities import DatasetInput, InputTag

    return [
        DatasetInput(
            MlflowDataset(each.name, each.digest[:DIGEST_LENGTH], SOURCE_NAME, each.source, None, _profile(each)),
            tags=[InputTag("mlflow.data.context", "training")],
        )
        for each in datasets
    ]


def source_tags() -> dict[str, str]:
    """Return the tags by which MLflow shows who made a run, and with what."""
    return {"mlflow.user": _user(), "mlflow.source.name": SOURCE_NAME, "mlflow.source.type": "LOCAL"}


def _user() -> str:
    """Return who runs this; a container may have a user without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _profile(dataset: Dataset) -> str:
    """Return the whole digest: MLflow's own field has no place for it."""
    return json.dumps({"digest": dataset.digest})


def _parts(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
