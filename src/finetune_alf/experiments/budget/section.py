"""The section `budget` of params.yaml, checked against the other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.budget.spec import BudgetSpec
from finetune_alf.params.checks import Disagreement, RawParams, check_fits, metric_of
from finetune_alf.params.section import named_section


def _check(raw: RawParams, name: str, budget: dict[str, Any]) -> Iterator[Disagreement]:
    path = ("budget", name)
    yield from check_fits(raw, path, budget, splits=("test",), metric=metric_of(budget))
    recipe, n_train = budget.get("recipe"), budget.get("n_train")
    batch = recipe.get("batch") if isinstance(recipe, dict) else None
    if isinstance(batch, int) and isinstance(n_train, int) and batch > n_train:
        yield (*path, "recipe", "batch"), f"must be at most n_train, {n_train}, but got {batch}"


SECTION = named_section("budget", BudgetSpec, _check)
