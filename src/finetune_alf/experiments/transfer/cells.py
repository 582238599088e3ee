"""The cells of a transfer: every scheme under every seed, all schemes under the same seeds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from finetune_alf.compute import Precision
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.experiments.cell_line import CellLine, fields_of
from finetune_alf.jobs.job import FitJob
from finetune_alf.recipe import AnyRecipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.result import Labels, RecordedFit


@dataclass(frozen=True)
class Cell:
    """One scheme under one fit seed."""

    scheme: str
    recipe: AnyRecipe
    index: int
    seed: int

    @property
    def key(self) -> str:
        """The cell's name."""
        return f"{self.scheme}/seed-{self.index}"


class TransferLine(CellLine):
    """A cell's line in the results."""

    scheme: str
    accuracy: float | None
    balanced_accuracy: float | None
    rates: dict[str, float]


def cells(recipes: Mapping[str, AnyRecipe], n_seeds: int, seed: int) -> list[Cell]:
    """Return the cells, in order."""
    return [
        Cell(scheme, recipe, index, child_seed(seed, "transfer", index))
        for scheme, recipe in recipes.items()
        for index in range(n_seeds)
    ]


def cell_job(cell: Cell, encoder: EncoderSpec, sample: str, precision: Precision, metric: str) -> FitJob:
    """Return a cell as a job, scored on the test split."""
    return FitJob(cell.key, cell.recipe, encoder, sample, cell.seed, precision, "test", metric)


def cell_line(cell: Cell, result: RecordedFit, n_layers: int) -> TransferLine:
    """Return a cell's line in the results."""
    return TransferLine(
        scheme=cell.scheme,
        seed=cell.seed,
        accuracy=result.accuracy,
        balanced_accuracy=result.balanced_accuracy,
        rates={str(address): rate for address, rate in cell.recipe.rates_at(n_layers).items()},
        **fields_of(result),
    )


def predictions_by_scheme(fits: Iterable[tuple[Cell, RecordedFit]]) -> dict[str, dict[int, Labels]]:
    """Return each scheme's predictions for the test texts by fit seed; diverged fits have none."""
    predictions: dict[str, dict[int, Labels]] = {}
    for cell, result in fits:
        if result.predictions:
            predictions.setdefault(cell.scheme, {})[cell.seed] = result.predictions
    return predictions
