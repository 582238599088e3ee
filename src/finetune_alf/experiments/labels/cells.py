"""The cells of a labels experiment: every scheme on every number of texts of every draw."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.compute import Precision
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.experiments.cell_line import CellLine, fields_of
from finetune_alf.experiments.labels.draws import Draw
from finetune_alf.jobs.job import FitJob
from finetune_alf.recipe import AnyRecipe
from finetune_alf.train.result import RecordedFit


@dataclass(frozen=True)
class Cell:
    """One scheme on one draw."""

    draw: Draw
    scheme: str
    recipe: AnyRecipe

    @property
    def key(self) -> str:
        """The cell's name."""
        return f"{self.draw.sample}/{self.draw.n_train}/{self.scheme}/draw-{self.draw.index}"


def cells(draws: list[Draw], recipes: Mapping[str, AnyRecipe]) -> list[Cell]:
    """Return the cells, draw by draw, so that a part of them has all schemes."""
    return [Cell(draw, scheme, recipe) for draw in draws for scheme, recipe in recipes.items()]


def cell_job(cell: Cell, encoder: EncoderSpec, precision: Precision, metric: str) -> FitJob:
    """Return a cell as a job, scored on the test split."""
    draw = cell.draw
    return FitJob(cell.key, cell.recipe, encoder, draw.digest, draw.seed, precision, "test", metric)


class LabelsLine(CellLine):
    """A cell's line in the results."""

    sample: str
    n_train: int
    scheme: str
    draw: int


def cell_line(cell: Cell, result: RecordedFit) -> LabelsLine:
    """Return a cell's line in the results."""
    return LabelsLine(
        sample=cell.draw.sample,
        n_train=cell.draw.n_train,
        scheme=cell.scheme,
        draw=cell.draw.index,
        seed=cell.draw.seed,
        **fields_of(result),
    )
