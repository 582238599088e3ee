"""The scores of a budget: by arm and sample, by number of fits, of winners, and where they vary from."""

from collections.abc import Iterator
from math import sqrt

from finetune_alf.experiments.budget.document import BudgetDocument, Spread
from finetune_alf.experiments.budget.family import PROBE
from finetune_alf.experiments.budget.figure import optimism_plot, replicates_plot, spread_plot, tuning_plot
from finetune_alf.experiments.budget.page_names import WHAT, score_cell
from finetune_alf.metric_names import PROBLEM_TYPES
from finetune_alf.report.evidence import constant_prediction
from finetune_alf.report.numbers import NONE, counted, score
from finetune_alf.report.search import words
from finetune_alf.report.section import Section


def scores_section(budget: BudgetDocument) -> Section:
    """Return scores, tuning curves, optimism and variance components, each as a figure and a table."""
    section, name = Section(), budget.name
    section.figure(
        f"{name}-replicates.png", f"Test {words(budget.metric)} of every replicate of {name}", replicates_plot(budget)
    )
    section.table(_score_header(budget), list(_score_rows(budget)))
    section.text(_diverged(budget))
    section.figure(
        f"{name}-curves.png",
        f"Test {words(budget.metric)} of what the searches of {name} would have selected, against their fits",
        tuning_plot(budget),
    )
    section.text(
        "Bands are 95 % intervals over replicates. The curve of random rates is the expectation over all orders of its "
        "fits, which is unbiased; the others are as their fits came."
    )
    section.figure(
        f"{name}-optimism.png",
        f"The winners of {name} on validation, confirmation and test: the first two selected them",
        optimism_plot(budget),
    )
    section.table(("search", "validation", "confirmation", "test"), list(_optimism_rows(budget)))
    section.figure(
        f"{name}-spread.png", f"Where scores and differences of {name} vary from, in points", spread_plot(budget)
    )
    section.table(("what", "draw", "search", "seed of a fit", "test texts"), list(_spread_rows(budget)))
    section.text(
        "Standard deviations in points. Draw: other training, validation and confirmation texts, seen in the baseline; "
        "search: what a search adds to it, and of differences draw and search together; seed: one fit under another "
        "seed; test texts: the mean if other texts were tested on."
    )
    return section


def _score_header(budget: BudgetDocument) -> tuple[str, ...]:
    names = [f"`{sample.name}`" for sample in budget.samples if sample.n_replicates]
    return (f"test {words(budget.metric)}", "all samples", *names)


def _score_rows(budget: BudgetDocument) -> Iterator[list[str]]:
    samples = [sample for sample in budget.samples if sample.n_replicates]
    for name, compared in budget.compared.items():
        yield [
            _what(budget, name),
            score_cell(compared.pooled),
            *(score_cell(compared.by_sample[sample.name]) for sample in samples),
        ]
    constant = f"{constant_prediction(budget.metric)} for all texts"
    yield [constant, NONE, *(score(sample.majority_baseline) for sample in samples)]


def _what(budget: BudgetDocument, name: str) -> str:
    """Return an arm or a control in words; the probe of scores is no logistic regression."""
    is_of_scores = name == PROBE and "regression" in PROBLEM_TYPES[budget.metric]
    return "ridge regression on frozen features" if is_of_scores else WHAT[name]


def _diverged(budget: BudgetDocument) -> str | None:
    found = [f"{_what(budget, name)}, {counted(n, 'fit')}" for name, n in budget.diverged.items()]
    return f"Diverged, and counted with a score of 0: {'; '.join(found)}." if found else None


def _optimism_rows(budget: BudgetDocument) -> Iterator[list[str]]:
    for arm, found in budget.optimism.items():
        yield [WHAT[arm], score(found.search), score(found.confirmation), score(found.test)]


def _spread_rows(budget: BudgetDocument) -> Iterator[list[str]]:
    for name, spread in budget.spreads.items():
        yield [words(name), *_deviations(spread)]


def _deviations(spread: Spread) -> Iterator[str]:
    for variance in (spread.draw, spread.search, spread.seed, spread.text):
        yield NONE if variance is None else f"{100 * sqrt(variance):.1f}"
