"""The record of an adaptation: adapt.json, beside the weights of the adapted encoder."""

import json
import logging
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from finetune_alf.compute import Environment
from finetune_alf.encoder.checkpoint import WEIGHTS_FILE
from finetune_alf.encoder.spec import ADAPT_RECORD
from finetune_alf.errors import InputError
from finetune_alf.files import file_digest
from finetune_alf.json_files import read_json
from finetune_alf.paths import way_out_of
from finetune_alf.spec import Spec, first_fault

logger = logging.getLogger(__name__)

NEW_HEAD_NOTE = (
    "The checkpoint has no masked language modelling head: a new one was trained first, with the encoder frozen. No "
    "gain is to be expected, since the encoder then adapts to a head that has not been pre-trained."
)
"""The note of an adaptation with a new head, for the record, the report and MLflow."""


class LossPoint(Spec):
    """The mean training loss, in nats a token, over the steps since the last point; steps count from 1."""

    step: int
    loss: float


class Losses(Spec):
    """The loss on held-out texts, in nats a token, with the same tokens masked each time."""

    before: float
    after: float


class TextCounts(Spec):
    """The texts of an adaptation; `n_excluded` texts of the source are also in a split that is scored."""

    source: str
    digest: str
    n_texts: int
    n_pieces: int
    n_tokens: int
    held_out_from: str
    n_held_out: int
    n_excluded: int


class HeadWarmUp(Spec):
    """How a new head was trained, before the encoder."""

    n_steps: int
    rate: float
    losses: Losses


class AdaptRecord(Spec):
    """A finished adaptation.

    `inputs_digest` covers everything that the weights depend on, `sha256` the weights. `warm_up` and `note` are None
    where the checkpoint has a masked language modelling head. `losses` are those of the encoder, after its head was
    trained.
    """

    name: str
    inputs_digest: str
    encoder: dict[Literal["name", "identity"], str]
    texts: TextCounts
    training: dict[str, Any]
    warm_up: HeadWarmUp | None
    note: str | None
    n_steps: int
    losses: Losses
    loss_curve: tuple[LossPoint, ...]
    seconds: float
    started_ms: int
    environment: Environment
    sha256: str


def read_finished(folder: Path, inputs_digest: str) -> AdaptRecord | None:
    """Return the record of an adaptation with these inputs, if the folder has it and its weights."""
    try:
        record = read_adapt_record(folder / ADAPT_RECORD)
        if record.inputs_digest == inputs_digest and file_digest(folder / WEIGHTS_FILE) == record.sha256:
            return record
    except (OSError, InputError) as error:
        if (folder / ADAPT_RECORD).exists():
            logger.warning("The encoder is trained again, because its folder is damaged: %s", error)
    return None


def read_adapt_record(path: Path) -> AdaptRecord:
    """Read the record of an adaptation. Raises InputError, naming the file, when it is missing or damaged."""
    document = read_json(path)
    try:
        return AdaptRecord.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise InputError(f"{path}: must be an adaptation, but got {first_fault(error)}. {way_out_of(path)}") from None
