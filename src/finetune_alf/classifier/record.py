"""classifier.json: what a saved classifier is, besides its tensors."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ValidationError

from finetune_alf.classifier.calibration import Calibration
from finetune_alf.compute import Precision
from finetune_alf.data.readers.format import LABEL_SEPARATOR
from finetune_alf.data.spec import TrainOn
from finetune_alf.data.text_columns import TextColumns
from finetune_alf.encoder.checkpoint import WEIGHTS_FILE
from finetune_alf.errors import EncoderError
from finetune_alf.files import file_digest, os_error_reason
from finetune_alf.metrics import ProblemType
from finetune_alf.recipe import AnyRecipe
from finetune_alf.recipe.recipe import Pooling, Truncation
from finetune_alf.spec import ADDED_LATER, Spec, first_fault

RECORD_FILE = "classifier.json"
PROBE_FILE = "probe.safetensors"
MAX_RECORD_BYTES = 1 << 22


Kind = Literal["fine-tuned", "contrastive", "probe"]
"""An encoder fine-tuned with its head; one fine-tuned on pairs, with a logistic head; a probe on one as pre-trained."""


class ClassifierRecord(Spec):
    """What a classifier was trained as, and how its probabilities are calibrated.

    `fit` is the digest of all that its fit depends on, `digests` those of its files of tensors, by name. `encoder` is
    the identity of the encoder that it was trained from, `sample` the digest of the sample, and `train_on` says whether
    the classifier has seen all of that but its test texts, and more of its source. `text` are the source's columns.
    `label_separator` is put between the classes of a text that can have several.
    """

    format: Literal[1] = 1
    kind: Kind
    label_names: tuple[str, ...]
    max_tokens: int
    pooling: Pooling
    precision: Precision
    calibration: Calibration
    scheme: str
    recipe: AnyRecipe
    encoder: str
    sample: str
    fit: str
    digests: dict[str, str]
    train_on: Annotated[TrainOn, ADDED_LATER] = "train"
    truncation: Annotated[Truncation, ADDED_LATER] = "head"
    text: TextColumns | None = None
    problem_type: Annotated[ProblemType, ADDED_LATER] = "classification"
    label_separator: Annotated[str, ADDED_LATER] = LABEL_SEPARATOR

    @property
    def is_pipeline(self) -> bool:
        """Whether transformers' own pipeline computes the same: it reads the first token by the model's own head.

        It cuts long texts at one end, so that it does not keep head and tail.
        """
        return self.kind == "fine-tuned" and self.pooling == "first" and self.truncation != "head_tail"


def read_record(folder: Path) -> ClassifierRecord:
    """Read the record of a folder. Raises EncoderError when it is missing or not valid."""
    file = folder / RECORD_FILE
    try:
        with file.open("rb") as opened:
            return ClassifierRecord.model_validate_json(opened.read(MAX_RECORD_BYTES))
    except OSError as error:
        raise EncoderError(
            f"cannot read {file}: {os_error_reason(error)}. Give a folder that `write_folder` wrote."
        ) from None
    except ValidationError as error:
        raise EncoderError(
            f"{file}: must be as `write_folder` writes it, but got {first_fault(error)}. Write it again."
        ) from None


def is_saved(folder: Path, fit: str) -> bool:
    """Say whether a folder holds the classifier of this fit, every tensor as it was written."""
    try:
        record = read_record(folder)
    except EncoderError:
        return False
    return record.fit == fit and all(
        (folder / name).is_file() and file_digest(folder / name) == digest for name, digest in record.digests.items()
    )


def tensor_digests(folder: Path) -> dict[str, str]:
    """Return the digests of a folder's files of tensors, by name."""
    return {name: file_digest(folder / name) for name in (WEIGHTS_FILE, PROBE_FILE) if (folder / name).is_file()}
