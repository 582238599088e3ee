"""The section `budget` of params.yaml, checked against the other sections."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.experiments.budget.spec import BudgetSpec
from finetune_alf.params.checks import (
    Disagreement,
    RawParams,
    batch_above,
    check_fits,
    drawn_by_class,
    metric_of,
    names_in,
)
from finetune_alf.params.section import named_section


def _check(raw: RawParams, name: str, budget: dict[str, Any]) -> Iterator[Disagreement]:
    path = ("budget", name)
    yield from check_fits(raw, path, budget, splits=("test",), metric=metric_of(budget))
    for index, sample in enumerate(names_in(budget, "samples")):
        yield from drawn_by_class(raw, (*path, "samples", index), sample)
    yield from batch_above((*path, "recipe", "batch"), budget.get("recipe"), budget.get("n_train"), "n_train")


SECTION = named_section("budget", BudgetSpec, _check)
