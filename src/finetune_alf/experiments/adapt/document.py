"""results/adapt/<name>.json: what further pre-training did, and what fine-tuning gained by it."""

from typing import Literal

from finetune_alf.documents import Document, Estimate
from finetune_alf.experiments.adapt.record import AdaptRecord
from finetune_alf.experiments.cell_line import CellLine

Side = Literal["without", "with"]


class SidesDifference(Estimate):
    """With minus without, tested."""

    p: float
    verdict: str


class Comparison(Document):
    """The fine-tuned scores; no difference where no seed converged on both sides."""

    metric: str
    n_test: int
    majority: float
    n_seeds: int
    diverged: tuple[str, ...]
    sides: dict[Side, Estimate]
    difference: SidesDifference | None


class AdaptDocument(Document):
    """An adaptation, and what fine-tuning gained where that was asked."""

    record: AdaptRecord
    comparison: Comparison | None


class AdaptLine(CellLine):
    """A cell's line in the results."""

    side: Side
