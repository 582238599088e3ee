"""The spec of a multi-task experiment: an entry of the section `multitask` in params.yaml."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from finetune_alf.paths import Name
from finetune_alf.recipe import Recipe, TasksSpec
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.spec import Spec

CellName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


class MultitaskSpec(Spec):
    """One mixture fitted by several recipes, each cell under the same seeds.

    `vary` names the cells, each with its changes to `recipe`: maps are merged, but a map of another `kind` replaces the
    recipe's, as lists and scalars do. A cell cannot change a task's metric or `overall`, which are common to all. Time
    saved and score kept are relative to the cell `baseline`. The epoch is chosen on the validation split
    (`recipe.keep`), and cells are scored on `score_on`. Fewer seeds than the default have no verdict.
    """

    encoder: Name
    sample: Name
    recipe: Recipe
    vary: Annotated[dict[CellName, dict[str, JsonValue]], Field(min_length=1)]
    baseline: CellName
    n_seeds: Annotated[int, Field(ge=1)] = MIN_SEEDS
    score_on: Literal["validation", "test"] = "test"
    seed: Annotated[int, Field(ge=0)] = 1

    @model_validator(mode="after")
    def _check_cells(self) -> Self:
        if self.recipe.tasks is None:
            raise ValueError("recipe.tasks must be given, `tasks: {}` for the defaults, but is missing")
        if self.baseline not in self.vary:
            raise ValueError(f"baseline must be one of the cells {', '.join(self.vary)}, but got {self.baseline}")
        for name, recipe in self.recipes().items():
            if recipe.tasks:
                _check_metrics(name, self.recipe.tasks, recipe.tasks)
        return self

    def recipes(self) -> dict[str, Recipe]:
        """Return each cell's recipe; ValueError names the cell whose recipe is not valid."""
        common = self.recipe.model_dump(mode="json")
        return {name: _recipe(name, merge(common, changes)) for name, changes in self.vary.items()}


def merge(common: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a map with changes; maps in it are merged, unless the change is of another `kind`."""
    merged = dict(common)
    for key, value in changes.items():
        before = merged.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping) and _keeps_kind(before, value):
            merged[key] = merge(before, value)
        else:
            merged[key] = value
    return merged


def _keeps_kind(common: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    return "kind" not in changes or changes["kind"] == common.get("kind")


def _check_metrics(name: str, common: TasksSpec, tasks: TasksSpec) -> None:
    """Raise ValueError where a cell changes the metrics that all cells have in common."""
    if tasks.overall != common.overall:
        raise ValueError(f"vary.{name}.tasks.overall must be the recipe's, {common.overall}, but got {tasks.overall}")
    for task in {**common.each, **tasks.each}:
        expected, given = (spec.of(task).metric or "the default" for spec in (common, tasks))
        if given != expected:
            raise ValueError(f"vary.{name}.tasks.each.{task}.metric must be the recipe's, {expected}, but got {given}")


def _recipe(name: str, merged: Mapping[str, Any]) -> Recipe:
    try:
        recipe = Recipe.model_validate_json(json.dumps(merged))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in ("vary", name, *fault["loc"]))
        raise ValueError(f"{where} must make a valid recipe, but got: {fault['msg']}") from None
    if recipe.tasks is None:
        raise ValueError(f"vary.{name}.tasks must be a map, but got null")
    return recipe
