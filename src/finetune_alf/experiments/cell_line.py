"""Cell lines: a fit of an experiment as one line of its JSONL file, as far as all experiments have it alike."""

from typing import Any

from finetune_alf.compute import Environment
from finetune_alf.documents import Document
from finetune_alf.train.result import EpochMetrics, RecordedFit


class CellLine(Document):
    """A fit under one seed; no loss and no score where it diverged."""

    seed: int
    score: float | None
    loss: float | None
    seconds: float
    stopped: str
    n_trainable_parameters: int
    frozen_dropout: str
    epochs: tuple[EpochMetrics, ...]
    environment: Environment


def fields_of(result: RecordedFit) -> dict[str, Any]:
    """Return what a result gives to every cell's line."""
    return {name: getattr(result, name) for name in CellLine.model_fields if name != "seed"}
