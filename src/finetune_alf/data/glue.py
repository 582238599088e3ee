"""The tasks of the GLUE benchmark (Wang et al. 2019): text columns, label names, metrics and splits of each.

Columns, the order of label names, and splits are those of `nyu-mll/glue` on the hub. Its test splits have no labels, so
that a source has train and validation only; of MNLI it is the matched validation split.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from finetune_alf.metric_names import ProblemType

REPOSITORY = "nyu-mll/glue"
REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
"""The commit of the repository after its conversion to Parquet."""

GlueName = Literal["cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli"]


@dataclass(frozen=True)
class GlueTask:
    """One task; a regression task has no label names. The first of GLUE's metrics is the one to search by."""

    text: str | tuple[str, str]
    label_names: tuple[str, ...]
    metrics: tuple[str, ...] = ("accuracy",)
    validation: str = "validation"
    label: str = "label"

    @property
    def problem_type(self) -> ProblemType:
        """Whether labels are classes or scores."""
        return "classification" if self.label_names else "regression"


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
