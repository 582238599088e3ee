"""Fits as lines of results, and their runs in these lines, so that MLflow can be filled from them.

A line has, under RUN, what the run of the fit needs and the line itself does not have.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from finetune_alf.compute import Environment
from finetune_alf.documents import Document
from finetune_alf.recipe import AnyRecipe
from finetune_alf.running.nested_runs import fit_run
from finetune_alf.tracking.record import RunRecord
from finetune_alf.train.result import EpochMetrics, FitResult, RecordedFit

RUN = "run"
"""The key of a line."""

_RECIPE: TypeAdapter[AnyRecipe] = TypeAdapter(AnyRecipe)


class FitLine(Document):
    """A fit under one seed as a line of results; no loss and no score where it diverged."""

    seed: int
    score: float | None
    loss: float | None
    seconds: float
    stopped: str
    n_trainable_parameters: int
    frozen_dropout: str
    epochs: tuple[EpochMetrics, ...]
    environment: Environment


def fields_of(result: RecordedFit) -> dict[str, Any]:
    """Return what a result gives to the line of its fit."""
    return {name: getattr(result, name) for name in FitLine.model_fields if name != "seed"}


class CellRun(Document):
    """The run of a fit: its parent's key, its own key and name, and what a fit is logged with."""

    parent: str
    key: str
    name: str
    n_layers: int
    recipe: dict[str, Any]
    started_ms: int
    movement: dict[str, float] | None
    scores: dict[str, float | None]
    tags: dict[str, str]


def run_of_line(line: Mapping[str, Any], where: str) -> RunRecord:
    """Return the run of a line, equal to that of its fit. Raises InputError, naming the place, for a damaged line."""
    cell = CellRun.parse(line[RUN], where)
    unknown: dict[str, Any] = dict.fromkeys(("kept_epoch", "accuracy", "balanced_accuracy"))
    unknown |= {"predictions": [], "n_steps": 0}
    known = {name: line[name] for name in FitResult.model_fields if name in line and name != "tasks"}
    fields = {**unknown, **known, "started_ms": cell.started_ms, "movement": cell.movement}
    result = FitResult.model_validate_json(json.dumps(fields))
    return fit_run(
        cell.key,
        cell.name,
        _RECIPE.validate_json(json.dumps(cell.recipe)),
        cell.n_layers,
        result,
        Environment.model_validate_json(json.dumps(line["environment"])),
        scores=cell.scores,
        tags=cell.tags,
    )
