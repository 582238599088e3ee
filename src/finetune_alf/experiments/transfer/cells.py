"""The cells of a transfer: every scheme under every seed, all schemes under the same seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.experiments.transfer.spec import SchemeName
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.job import FitJob
from finetune_alf.train.result import FitResult


@dataclass(frozen=True)
class Cell:
    """One scheme under one fit seed."""

    scheme: SchemeName
    recipe: Recipe
    seed: int


def cells(recipes: Mapping[SchemeName, Recipe], n_seeds: int, seed: int) -> dict[str, Cell]:
    """Return the cells by key."""
    return {
        f"{scheme}/seed-{index}": Cell(scheme, recipe, child_seed(seed, "transfer", index))
        for scheme, recipe in recipes.items()
        for index in range(n_seeds)
    }


def cell_job(key: str, cell: Cell, encoder: EncoderSpec, sample: str, metric: str) -> FitJob:
    """Return a cell as a job, scored on the test split."""
    return FitJob(key, cell.recipe, encoder, sample, cell.seed, "test", metric)


def cell_record(cell: Cell, result: FitResult, n_layers: int) -> dict[str, Any]:
    """Return a cell's line in the results."""
    told = result.model_dump(
        mode="json",
        include={"score", "accuracy", "balanced_accuracy", "loss", "seconds", "stopped", "epochs", "frozen_dropout"},
    )
    return {"scheme": cell.scheme, "seed": cell.seed, **told, "rates": dict(cell.recipe.rates.at(n_layers))}


def predictions_by_scheme(
    grid: Mapping[str, Cell], results: Mapping[str, FitResult]
) -> dict[str, dict[int, tuple[float, ...]]]:
    """Return what each scheme predicted for each test text, by fit seed; diverged fits predicted nothing."""
    predictions: dict[str, dict[int, tuple[float, ...]]] = {}
    for key, cell in grid.items():
        if results[key].predictions:
            predictions.setdefault(cell.scheme, {})[cell.seed] = results[key].predictions
    return predictions
