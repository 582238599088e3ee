"""What an adaptation leaves beside its weights: adapt.json in the encoder's folder."""

from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from finetune_alf.encoder.spec import ADAPT_RECORD, WEIGHTS_FILE
from finetune_alf.experiments.adapt.learn import Point
from finetune_alf.files import file_digest
from finetune_alf.spec import Spec

NO_GAIN = (
    "The checkpoint has no masked-language head: a fresh one was warmed up first, the body frozen. No gain is to be "
    "expected: what the body learns first is to serve a head that nothing has taught before."
)
"""Stands in the record, and with it in the report and in MLflow, wherever a head was fresh."""


class Losses(Spec):
    """The loss on held-out texts, in nats a hidden token, with the same tokens hidden each time."""

    before: float
    after: float


class LearnedTexts(Spec):
    """What was learned from and what was measured on; `n_left_out` other texts are in splits that are scored on."""

    source: str
    digest: str
    n_texts: int
    n_pieces: int
    n_tokens: int
    held_out_from: str
    n_held_out: int
    n_left_out: int


class HeadRecord(Spec):
    """How a fresh head was warmed up, before the rest learned."""

    n_steps: int
    rate: float
    losses: Losses


class AdaptRecord(Spec):
    """An adaptation that was done. `asked` is the digest of all that the weights depend on, `sha256` that of theirs.

    `warm_up` is None where the checkpoint has a masked-language head of its own; else `note` says what follows of that.
    `losses` are those of the encoder itself, after its head was warmed up.
    """

    name: str
    asked: str
    encoder: dict[Literal["name", "identity"], str]
    texts: LearnedTexts
    training: dict[str, Any]
    warm_up: HeadRecord | None
    note: str | None
    n_steps: int
    losses: Losses
    curve: tuple[Point, ...]
    seconds: float
    started_ms: int
    device: str
    precision: Literal["fp32", "bf16"]
    n_threads: int
    version: str
    sha256: str


def finished(folder: Path, asked: str) -> AdaptRecord | None:
    """Return the record of an adaptation that is there as it was asked for, its weights those of the record."""
    try:
        record = AdaptRecord.model_validate_json((folder / ADAPT_RECORD).read_bytes())
        if record.asked == asked and file_digest(folder / WEIGHTS_FILE) == record.sha256:
            return record
    except (OSError, ValidationError):
        pass
    return None
