"""results/adapt/<name>.json: the record of an adaptation, and the comparison of fine-tuned scores."""

from typing import Literal

from finetune_alf.comparison import ComparedDifference, SeedsScore
from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document
from finetune_alf.experiments.adapt.record import AdaptRecord
from finetune_alf.experiments.cell_line import CellLine

Variant = Literal["plain", "adapted"]
"""The encoder that a fit starts from: before, or after further pre-training."""


class Comparison(Document):
    """The fine-tuned scores; without them, and without a difference, where no seed converged from both encoders.

    The difference is adapted minus plain.
    """

    metric: str
    n_test: int
    majority_baseline: float
    n_seeds: int
    diverged: tuple[str, ...]
    scores: dict[Variant, SeedsScore]
    environments: tuple[EnvironmentShare, ...]
    difference: ComparedDifference | None


class AdaptDocument(Document):
    """An adaptation; the comparison is None without a recipe."""

    record: AdaptRecord
    comparison: Comparison | None


class AdaptLine(CellLine):
    """A cell's line in the results."""

    variant: Variant
