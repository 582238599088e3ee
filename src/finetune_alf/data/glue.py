"""The tasks of the GLUE benchmark by name (Wang et al. 2019): where each lies, its columns, classes and metrics.

Columns, label names in their order, and splits are those of `nyu-mll/glue` on the hub. Its test splits are unlabelled,
so that train and validation are what is given; of MNLI the matched validation split.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

REPOSITORY = "nyu-mll/glue"
REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
"""The repository's commit of its dataset card as it stands, after its conversion to Parquet."""

GlueName = Literal["cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli"]


@dataclass(frozen=True)
class GlueTask:
    """One task: a task of scores has no label names. The first metric is the one to search by; GLUE reports all."""

    text: str | tuple[str, str]
    label_names: tuple[str, ...]
    metrics: tuple[str, ...] = ("accuracy",)
    validation: str = "validation"
    label: str = "label"

    @property
    def kind(self) -> Literal["classes", "score"]:
        """What the labels are."""
        return "classes" if self.label_names else "score"


_SENTENCES = ("sentence1", "sentence2")
_ENTAILMENT = ("entailment", "not_entailment")

GLUE: Mapping[str, GlueTask] = {
    "cola": GlueTask("sentence", ("unacceptable", "acceptable"), ("matthews",)),
    "sst2": GlueTask("sentence", ("negative", "positive")),
    "mrpc": GlueTask(_SENTENCES, ("not_equivalent", "equivalent"), ("f1", "accuracy")),
    "qqp": GlueTask(("question1", "question2"), ("not_duplicate", "duplicate"), ("f1", "accuracy")),
    "stsb": GlueTask(_SENTENCES, (), ("pearson", "spearman")),
    "mnli": GlueTask(
        ("premise", "hypothesis"), ("entailment", "neutral", "contradiction"), validation="validation_matched"
    ),
    "qnli": GlueTask(("question", "sentence"), _ENTAILMENT),
    "rte": GlueTask(_SENTENCES, _ENTAILMENT),
    "wnli": GlueTask(_SENTENCES, ("not_entailment", "entailment")),
}
