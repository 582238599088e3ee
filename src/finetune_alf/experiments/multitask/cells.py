"""The cells of a multi-task experiment: every recipe under every seed, all recipes under the same seeds."""

from dataclasses import dataclass
from typing import Any

from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.experiments.multitask.spec import MultitaskSpec
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.job import FitJob
from finetune_alf.train.result import FitResult

OVERALL = "overall"
"""What the score of several tasks is called where a metric is named."""


@dataclass(frozen=True)
class Cell:
    """One recipe under one fit seed."""

    name: str
    recipe: Recipe
    seed: int


def cells(spec: MultitaskSpec) -> dict[str, Cell]:
    """Return the cells by key."""
    return {
        f"{name}/seed-{index}": Cell(name, recipe, child_seed(spec.seed, "multitask", index))
        for name, recipe in spec.recipes().items()
        for index in range(spec.n_seeds)
    }


def cell_job(key: str, cell: Cell, spec: MultitaskSpec, encoder: EncoderSpec, sample: str) -> FitJob:
    """Return a cell as a job."""
    return FitJob(key, cell.recipe, encoder, sample, cell.seed, spec.score_on, OVERALL)


def cell_record(cell: Cell, result: FitResult, n_layers: int) -> dict[str, Any]:
    """Return a cell's line in the results."""
    told = result.model_dump(
        mode="json",
        include={"score", "loss", "seconds", "stopped", "kept_epoch", "n_steps", "n_trainable_parameters", "epochs"},
    )
    tasks = {
        task: one.model_dump(mode="json", include={"metric", "score", "loss"})
        for task, one in (result.tasks or {}).items()
    }
    return {"cell": cell.name, "seed": cell.seed, **told, "tasks": tasks, "rates": cell.recipe.rates_at(n_layers)}
