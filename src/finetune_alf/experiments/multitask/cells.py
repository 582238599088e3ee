"""The cells of a multi-task experiment: every recipe under every seed, all recipes under the same seeds."""

from dataclasses import dataclass

from finetune_alf.compute import Precision
from finetune_alf.documents import Document
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.experiments.cell_line import CellLine, fields_of
from finetune_alf.experiments.multitask.spec import MultitaskSpec
from finetune_alf.jobs.job import FitJob
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.result import RecordedFit

OVERALL = "overall"
"""The metric's name of the score that combines several tasks."""


@dataclass(frozen=True)
class Cell:
    """One recipe under one fit seed."""

    name: str
    recipe: Recipe
    index: int
    seed: int

    @property
    def key(self) -> str:
        """The cell's name."""
        return f"{self.name}/seed-{self.index}"


class TaskLine(Document):
    """One task in a cell's line."""

    metric: str
    score: float
    loss: float


class MultitaskLine(CellLine):
    """A cell's line in the results."""

    cell: str
    kept_epoch: int | None
    n_steps: int
    tasks: dict[str, TaskLine]
    rates: dict[str, float]


def cells(spec: MultitaskSpec) -> list[Cell]:
    """Return the cells, in order."""
    return [
        Cell(name, recipe, index, child_seed(spec.seed, "multitask", index))
        for name, recipe in spec.recipes().items()
        for index in range(spec.n_seeds)
    ]


def cell_job(cell: Cell, spec: MultitaskSpec, encoder: EncoderSpec, sample: str, precision: Precision) -> FitJob:
    """Return a cell as a job."""
    return FitJob(cell.key, cell.recipe, encoder, sample, cell.seed, precision, spec.score_on, OVERALL)


def cell_line(cell: Cell, result: RecordedFit, n_layers: int) -> MultitaskLine:
    """Return a cell's line in the results."""
    tasks = result.tasks or {}
    return MultitaskLine(
        cell=cell.name,
        seed=cell.seed,
        kept_epoch=result.kept_epoch,
        n_steps=result.n_steps,
        tasks={task: TaskLine(metric=each.metric, score=each.score, loss=each.loss) for task, each in tasks.items()},
        rates={str(address): rate for address, rate in cell.recipe.rates_at(n_layers).items()},
        **fields_of(result),
    )
