"""The cells of a decay grid: every rate with every factor under every seed."""

from dataclasses import dataclass

from finetune_alf.compute import Precision
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.experiments.cell_line import CellLine, fields_of
from finetune_alf.experiments.decay.spec import DecaySpec
from finetune_alf.jobs.job import FitJob
from finetune_alf.rates import key_text
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.result import RecordedFit


@dataclass(frozen=True)
class Cell:
    """A rate and a factor under one of the seeds."""

    rate: float
    factor: float
    recipe: Recipe
    index: int
    seed: int

    @property
    def key(self) -> str:
        """The cell's name."""
        return f"{key_text(self.rate)}/{key_text(self.factor)}/seed-{self.index}"


def cells(spec: DecaySpec) -> list[Cell]:
    """Return the cells in order; the seeds are the same for all pairs."""
    return [
        Cell(rate, factor, spec.recipe_at(rate, factor), index, child_seed(spec.seed, "decay", index))
        for rate, factor in spec.grid
        for index in range(spec.n_seeds)
    ]


def cell_job(cell: Cell, encoder: EncoderSpec, sample_digest: str, precision: Precision) -> FitJob:
    """Return a cell as a job, scored on the test split."""
    return FitJob(cell.key, cell.recipe, encoder, sample_digest, cell.seed, precision, "test")


class DecayLine(CellLine):
    """A cell's line in the results."""

    rate: float
    factor: float
    accuracy: float | None
    rates: dict[str, float]


def cell_line(cell: Cell, result: RecordedFit, n_layers: int) -> DecayLine:
    """Return a cell's line in the results."""
    return DecayLine(
        rate=cell.rate,
        factor=cell.factor,
        seed=cell.seed,
        accuracy=result.accuracy,
        rates={str(address): rate for address, rate in cell.recipe.rates_at(n_layers).items()},
        **fields_of(result),
    )
