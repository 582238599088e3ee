"""classifier.json: what a saved classifier is, besides its tensors and words."""

import json
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import ValidationError, model_validator

from finetune_alf.checksums import parse_checked
from finetune_alf.classifier.calibration import Calibration
from finetune_alf.compute import Precision
from finetune_alf.data.readers.format import LABEL_SEPARATOR
from finetune_alf.data.spec import TrainOn
from finetune_alf.data.text_columns import TextColumns
from finetune_alf.errors import EncoderError
from finetune_alf.files import file_digest
from finetune_alf.metric_names import ProblemType
from finetune_alf.os_errors import check_regular, os_error_reason
from finetune_alf.paths import way_out_of
from finetune_alf.recipe import AnyRecipe, HoulsbyAdapter, Recipe, TfidfRecipe
from finetune_alf.recipe.recipe import Pooling, Truncation
from finetune_alf.spec import ADDED_LATER, Spec, first_fault

RECORD_FILE = "classifier.json"
PROBE_FILE = "probe.safetensors"
TFIDF_FILE = "tfidf.safetensors"
WORDS_FILE = "words.json"
ENCODER_FOLDER = "encoder"
"""Where the encoder of bottleneck adapters lies: transformers does not take the classifier for one without them."""

MAX_RECORD_BYTES = 1 << 22

Kind = Literal["fine-tuned", "contrastive", "probe", "tfidf"]
"""An encoder fine-tuned with its head; one fine-tuned on pairs, with a logistic head; a probe on one as pre-trained;
logistic regression on TF-IDF, without an encoder."""

Content = Literal[
    "model.safetensors",
    "encoder/model.safetensors",
    "adapter.safetensors",
    "probe.safetensors",
    "tfidf.safetensors",
    "words.json",
]
"""The files that a classifier predicts by, besides configuration and tokenizer."""


class ClassifierRecord(Spec):
    """What a classifier was trained as, and how its probabilities are calibrated.

    `fit` is the digest of all that its fit depends on, `digests` those of its files, by name. `encoder` is the identity
    of the encoder that it was trained from, `sample` the digest of the sample, and `train_on` says whether
    the classifier has seen all of that but its test texts, and more of its source. `text` are the source's columns.
    `label_separator` is put between the classes of a text that can have several. One by TF-IDF has no `encoder`,
    `max_tokens` and `pooling`.
    """

    format: Literal[1] = 1
    kind: Kind
    label_names: tuple[str, ...]
    max_tokens: int | None
    pooling: Pooling | None
    precision: Precision
    calibration: Calibration
    scheme: str
    recipe: AnyRecipe
    encoder: str | None
    sample: str
    fit: str
    digests: dict[Content, str]
    train_on: Annotated[TrainOn, ADDED_LATER] = "train"
    truncation: Annotated[Truncation, ADDED_LATER] = "head"
    text: TextColumns | None = None
    problem_type: Annotated[ProblemType, ADDED_LATER] = "classification"
    label_separator: Annotated[str, ADDED_LATER] = LABEL_SEPARATOR

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "ClassifierRecord":
        has_encoder = None not in (self.encoder, self.max_tokens, self.pooling)
        if not (self.kind != "tfidf") == has_encoder == (not isinstance(self.recipe, TfidfRecipe)):
            raise ValueError(f"must have encoder, max_tokens and pooling unless its kind is tfidf, but is {self.kind}")
        return self

    @property
    def bottlenecks(self) -> HoulsbyAdapter | None:
        """The adapters beside the encoder; LoRA is merged into it."""
        adapter = self.recipe.adapter if isinstance(self.recipe, Recipe) else None
        return adapter if isinstance(adapter, HoulsbyAdapter) else None

    @property
    def is_pipeline(self) -> bool:
        """Whether transformers' own pipeline computes the same: it reads the first token by the model's own head.

        It cuts long texts at one end, so that it does not keep head and tail, and knows no bottleneck adapters.
        """
        is_whole = self.kind == "fine-tuned" and self.bottlenecks is None
        return is_whole and self.pooling == "first" and self.truncation != "head_tail"


def read_record(folder: Path) -> ClassifierRecord:
    """Read the record of a folder. Raises EncoderError when it is missing or not valid."""
    file = folder / RECORD_FILE
    check_regular(file, EncoderError)
    try:
        with file.open("rb") as opened:
            return ClassifierRecord.model_validate_json(json.dumps(parse_checked(opened.read(MAX_RECORD_BYTES))))
    except OSError as error:
        raise EncoderError(
            f"cannot read {file}: {os_error_reason(error)}. Name a folder that `finetune-alf fit` wrote."
        ) from None
    except ValueError as error:
        fault = first_fault(error) if isinstance(error, ValidationError) else error
        raise EncoderError(
            f"{file}: must be as `finetune-alf fit` writes it, but got {fault}. {way_out_of(file)}"
        ) from None


def is_saved(folder: Path, fit: str) -> bool:
    """Say whether a folder holds the classifier of this fit, every tensor and word as it was written."""
    return saved_fit(folder) == fit


def saved_fit(folder: Path) -> str | None:
    """Return the fit whose classifier a folder holds, every tensor and word as it was written; None for no such one."""
    try:
        record = read_record(folder)
    except EncoderError:
        return None
    is_whole = all(
        (folder / name).is_file() and file_digest(folder / name) == digest for name, digest in record.digests.items()
    )
    return record.fit if is_whole else None


def content_digests(folder: Path) -> dict[Content, str]:
    """Return the digests of a folder's files that it predicts by, by name."""
    return {name: file_digest(folder / name) for name in get_args(Content) if (folder / name).is_file()}
