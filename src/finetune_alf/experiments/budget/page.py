"""Budgets on the page."""

from collections.abc import Iterator

from finetune_alf.experiments.budget.document import BudgetDocument
from finetune_alf.paths import Paths
from finetune_alf.report.part import Part, documents
from finetune_alf.report.section import Section


def budget_part(paths: Paths) -> Part | None:
    """Return the budgets that have run, one after another."""
    budgets = tuple(documents(paths.experiment("budget"), BudgetDocument))
    if not budgets:
        return None
    section = Section()
    for budget in budgets:
        section.text(f"## Budget `{budget.name}`")
    return Part(tuple(line for budget in budgets for line in _in_short(budget)), section)


def _in_short(budget: BudgetDocument) -> Iterator[str]:
    yield f"Budget `{budget.name}`: {sum(each.n_replicates for each in budget.samples)} replicates."
