"""The cells of a forgetting experiment: every rate under every seed."""

from dataclasses import dataclass

from finetune_alf.compute import Precision
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.experiments.cell_line import CellLine, fields_of
from finetune_alf.experiments.forgetting.spec import ForgettingSpec
from finetune_alf.jobs.job import FitJob, ScoredSplit
from finetune_alf.rates import key_text
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.result import RecordedFit

SCORED_ON: ScoredSplit = "validation"


@dataclass(frozen=True)
class Cell:
    """One rate under one of the seeds."""

    rate: float
    recipe: Recipe
    index: int
    seed: int

    @property
    def key(self) -> str:
        """The cell's name."""
        return f"{key_text(self.rate)}/seed-{self.index}"


def cells(spec: ForgettingSpec) -> list[Cell]:
    """Return the cells in order; the seeds are the same for all rates."""
    return [
        Cell(rate, spec.recipe_at(rate), index, child_seed(spec.seed, "forgetting", index))
        for rate in spec.rates
        for index in range(spec.n_seeds)
    ]


def cell_job(cell: Cell, encoder: EncoderSpec, sample_digest: str, precision: Precision) -> FitJob:
    """Return a cell as a job, scored on the validation split."""
    return FitJob(cell.key, cell.recipe, encoder, sample_digest, cell.seed, precision, SCORED_ON)


class ForgettingLine(CellLine):
    """A cell's line in the results."""

    rate: float
    accuracy: float | None
    n_steps: int


def cell_line(cell: Cell, result: RecordedFit) -> ForgettingLine:
    """Return a cell's line in the results."""
    return ForgettingLine(
        rate=cell.rate, seed=cell.seed, accuracy=result.accuracy, n_steps=result.n_steps, **fields_of(result)
    )
