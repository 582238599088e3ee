"""The fits of a sweep: each sample at each level with the same seeds, and first the full model at each rate."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from finetune_alf.compute import Precision
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.experiments.cell_line import CellLine, fields_of
from finetune_alf.experiments.freeze.document import SweepSample
from finetune_alf.experiments.freeze.levels import Level
from finetune_alf.experiments.freeze.line_search import validation_score
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.jobs.job import FitJob
from finetune_alf.rates import UniformRates, key_text
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.result import RecordedFit


@dataclass(frozen=True)
class Cell:
    """One fit: a sample at a level, with one of the seeds; `rate` is that of the layers that are trained."""

    sample: SweepSample
    level: Level
    rate: float
    index: int
    seed: int

    @property
    def key(self) -> str:
        """The cell's name, the same for a fit of the line search and of the sweep."""
        return f"{self.sample.name}/{self.level.name}/{key_text(self.rate)}/seed-{self.index}"


class FreezeLine(CellLine):
    """A cell's line in the results; no scores where the fit diverged."""

    sample: str
    n_frozen: int | None
    n_trained: int
    rate: float
    score_on: str
    scores: dict[str, float]
    validation_score: float | None


def cells(
    spec: FreezeSpec, sample: SweepSample, levels: Iterable[Level], rates: Iterable[float], n_seeds: int
) -> list[Cell]:
    """Return a sample's cells; the seeds are the same for all levels, rates and samples."""
    return [
        Cell(sample, level, rate, index, child_seed(spec.seed, "freeze", index))
        for level in levels
        for rate in rates
        for index in range(n_seeds)
    ]


def level_recipe(spec: FreezeSpec, level: Level, rate: float) -> Recipe:
    """Return the sweep's recipe with the rates of a level; a head without a rate of its own takes `rate`."""
    policy = spec.recipe.rates
    head = policy.head if isinstance(policy, UniformRates) else None
    return spec.recipe.with_rates(level.rates(rate, rate if head is None else head))


def cell_job(spec: FreezeSpec, cell: Cell, encoder: EncoderSpec, precision: Precision) -> FitJob:
    """Return a cell as a job.

    A fit of the line search is scored on the same split as the cells, so that the fits at the selected rate are cells
    of the sweep, too; `line_search.py` reads their validation scores only.
    """
    sample, recipe = cell.sample, level_recipe(spec, cell.level, cell.rate)
    return FitJob(cell.key, recipe, encoder, sample.digest, cell.seed, precision, sample.score_on, sample.metrics[0])


def cell_line(cell: Cell, result: RecordedFit, scores: Mapping[str, float]) -> FreezeLine:
    """Return a cell's line in the results."""
    return FreezeLine(
        sample=cell.sample.name,
        n_frozen=cell.level.n_frozen,
        n_trained=cell.level.n_trained,
        rate=cell.rate,
        seed=cell.seed,
        score_on=cell.sample.score_on,
        scores=dict(scores),
        validation_score=validation_score(result),
        **fields_of(result),
    )
