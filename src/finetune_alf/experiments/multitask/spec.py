"""What params.yaml says of a multi-task experiment."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, ValidationError, model_validator

from finetune_alf.paths import Name
from finetune_alf.recipe import Recipe, TasksSpec
from finetune_alf.spec import Spec

CellName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


class MultitaskSpec(Spec):
    """One mixture fitted by several recipes, each cell under the same seeds.

    `vary` names the cells; each says what is other than in `recipe`: maps merge, but a map of another `kind` replaces
    the one there, as lists and scalars do. What the cells are measured by, each task's metric and `overall`, is the
    recipe's for all of them. Time saved and score kept are relative to the cell `baseline`. Which epoch counts is
    chosen on the validation split (`recipe.keep`), cells are scored on `score_on`.
    """

    encoder: Name
    sample: Name
    recipe: Recipe
    vary: Annotated[dict[CellName, dict[str, JsonValue]], Field(min_length=1)]
    baseline: CellName
    n_seeds: Annotated[int, Field(ge=1)] = 1
    score_on: Literal["validation", "test"] = "test"
    n_resamples: Annotated[int, Field(ge=100)] = 2000
    seed: Annotated[int, Field(ge=0)] = 1

    @model_validator(mode="after")
    def _check_cells(self) -> Self:
        if self.recipe.tasks is None:
            raise ValueError("recipe.tasks must be given, `tasks: {}` for the defaults, but is missing")
        if self.baseline not in self.vary:
            raise ValueError(f"baseline must be one of the cells {', '.join(self.vary)}, but got {self.baseline}")
        for name, recipe in self.recipes().items():
            if recipe.tasks:
                _check_measure(name, self.recipe.tasks, recipe.tasks)
        return self

    def recipes(self) -> dict[str, Recipe]:
        """Return each cell's recipe; ValueError names the cell whose recipe would not be one."""
        plain = self.recipe.model_dump(mode="json")
        return {name: _recipe(name, merge(plain, changes)) for name, changes in self.vary.items()}


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one map over another; maps in them are merged, unless they are of another `kind`."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping) and _is_of_one_kind(below, value):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def _is_of_one_kind(under: Mapping[str, Any], over: Mapping[str, Any]) -> bool:
    return "kind" not in over or over["kind"] == under.get("kind")


def _check_measure(name: str, before: TasksSpec, after: TasksSpec) -> None:
    """Raise ValueError where a cell is to be measured otherwise than the recipe, and so than the other cells."""
    if after.overall != before.overall:
        raise ValueError(f"vary.{name}.tasks.overall must be the recipe's, {before.overall}, but got {after.overall}")
    for task in {**before.each, **after.each}:
        wanted, given = before.of(task).metric, after.of(task).metric
        if given != wanted:
            told = f"the recipe's, {wanted or 'the default'}"
            raise ValueError(f"vary.{name}.tasks.each.{task}.metric must be {told}, but got {given or 'the default'}")


def _recipe(name: str, merged: Mapping[str, Any]) -> Recipe:
    try:
        recipe = Recipe.model_validate_json(json.dumps(merged))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in ("vary", name, *fault["loc"]))
        raise ValueError(f"{where} must make a recipe, but got: {fault['msg']}") from None
    if recipe.tasks is None:
        raise ValueError(f"vary.{name}.tasks must not be taken away")
    return recipe
