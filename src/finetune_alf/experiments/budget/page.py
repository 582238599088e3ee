"""Budgets on the page: method and settings, then the tested contrasts, then the scores behind them."""

from collections.abc import Iterator

from finetune_alf.experiments.budget.arms import PER_LAYER
from finetune_alf.experiments.budget.document import BudgetDocument
from finetune_alf.experiments.budget.page_contrasts import contrasts_section, decision_cell
from finetune_alf.experiments.budget.page_names import WHAT, difference_cell
from finetune_alf.experiments.budget.page_scores import scores_section
from finetune_alf.paths import Paths
from finetune_alf.rates import HEAD
from finetune_alf.report.environments import environment_rows
from finetune_alf.report.numbers import counted, duration, rate, score
from finetune_alf.report.part import DocumentPart, Part, part_of_each
from finetune_alf.report.search import space_in_words, words
from finetune_alf.report.section import Section


def budget_part(paths: Paths) -> Part | None:
    """Return the budgets that have run, one after another."""
    return part_of_each(paths.experiment("budget"), BudgetDocument, _document_part)


def _document_part(budget: BudgetDocument) -> DocumentPart:
    return DocumentPart(f"Budget `{budget.name}`", _budget_section(budget), (in_short(budget),))


def _budget_section(budget: BudgetDocument) -> Section:
    section = Section()
    section.text(*_method(budget))
    section.table(("what", "value"), _settings(budget), "**Settings**")
    section.append(contrasts_section(budget))
    section.append(scores_section(budget))
    return section


def _method(budget: BudgetDocument) -> Iterator[str]:
    yield (
        "A replicate draws training, validation and confirmation texts anew, and searches with other seeds; all arms "
        "share its texts and seeds. Each search has as many fits as the others. Its best "
        f"{counted(budget.n_top, 'candidate')} by validation and the baseline are fitted again under "
        f"{counted(budget.n_confirm_seeds, 'fresh seed')} and scored on the confirmation texts; the best of them is "
        f"tested under {counted(budget.n_test_seeds, 'other seed')}. No test score selects anything."
    )
    if not budget.is_complete:
        yield f"**{_progress(budget)}: estimates so far, no decisions.**"


def _settings(budget: BudgetDocument) -> list[tuple[str, str]]:
    encoder, recipe = budget.encoder, budget.recipe
    head = recipe.rates.at(encoder.n_layers)[HEAD]
    texts = f"{budget.n_train} training, {budget.n_validation} validation, {budget.n_confirmation} confirmation"
    steps = f" of {recipe.steps_per_epoch} steps" if recipe.steps_per_epoch else ""
    return [
        ("encoder", f"`{encoder.name}`: `{encoder.identity}`"),
        ("replicates", ", ".join(f"`{sample.name}` {sample.n_replicates}" for sample in budget.samples)),
        ("texts of a replicate", f"{texts}; from {_pools(budget)}"),
        ("test texts", ", ".join(f"`{sample.name}` {sample.n_test:,}" for sample in budget.samples)),
        ("fits of a search", ", ".join(f"{WHAT[arm]} {n}" for arm, n in budget.n_fits.items())),
        ("rates", f"{space_in_words(budget.space)}; head {rate(head)}; sampler {budget.sampler.kind}"),
        ("decays", ", ".join(f"{decay:g}" for decay in budget.decays)),
        ("baseline", f"{recipe.rates.kind} {rate(recipe.rates.highest)}, head {rate(head)}"),
        ("steps", f"{counted(recipe.epochs, 'epoch')}{steps}, batch {recipe.batch}, {recipe.max_tokens} tokens"),
        ("fits done", f"{budget.n_fits_done:,} in {duration(budget.seconds)}"),
        *environment_rows(budget.environments),
    ]


def _pools(budget: BudgetDocument) -> str:
    return ", ".join(f"`{sample.name}` {sum(sample.pool.values()):,}" for sample in budget.samples)


def _progress(budget: BudgetDocument) -> str:
    n_done = sum(sample.n_replicates for sample in budget.samples)
    return f"{n_done} of {counted(budget.n_replicates * len(budget.samples), 'replicate')}"


def in_short(budget: BudgetDocument) -> str:
    """Return the line of the summary: the score of the search over layers, and its differences from the others."""
    differences = "; ".join(
        f"minus {WHAT[other]} {difference_cell(contrast.pooled)}, {decision_cell(budget, contrast)}"
        for other, contrast in budget.contrasts.items()
    )
    return (
        f"Budget `{budget.name}`, {_progress(budget)}: the search over layers has a test {words(budget.metric)} of "
        f"{score(budget.compared[PER_LAYER].pooled.mean)}; {differences}."
    )
