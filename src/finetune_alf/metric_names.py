"""The names of metrics, and the kinds of labels that each is for. `metrics.py` computes them, with NumPy. Pure."""

from collections.abc import Mapping
from typing import Literal

ProblemType = Literal["classification", "multi_label", "regression"]
"""Whether a label is one class of several, a set of them, or a number; transformers' `problem_type`."""

LABELS: Mapping[ProblemType, str] = {
    "classification": "classes",
    "multi_label": "sets of classes",
    "regression": "scores",
}
"""What the labels of a problem type are, in words."""

MetricName = Literal[
    "accuracy",
    "balanced_accuracy",
    "f1",
    "micro_f1",
    "macro_f1",
    "matthews",
    "subset_accuracy",
    "pearson",
    "spearman",
]

Label = float | tuple[int, ...]
"""A class, a score, or the classes of a text in order."""

PROBLEM_TYPES: Mapping[str, tuple[ProblemType, ...]] = {
    "accuracy": ("classification",),
    "balanced_accuracy": ("classification",),
    "f1": ("classification",),
    "micro_f1": ("multi_label",),
    "macro_f1": ("classification", "multi_label"),
    "matthews": ("classification",),
    "subset_accuracy": ("multi_label",),
    "pearson": ("regression",),
    "spearman": ("regression",),
}
"""The metrics that a study can maximise, by name, and the labels that each is for."""


def metrics_for(problem_type: ProblemType) -> tuple[str, ...]:
    """Return the names of the metrics for a problem type."""
    return tuple(name for name, its_types in PROBLEM_TYPES.items() if problem_type in its_types)
