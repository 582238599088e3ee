"""Budgets on the page: the tested contrasts first, then scores, curves, optimism and where the variance comes from."""

from collections.abc import Iterator
from math import sqrt

from finetune_alf.documents import Estimate
from finetune_alf.experiments.budget.document import BudgetDocument, ContrastResult, MeanOverReplicates, Spread
from finetune_alf.experiments.budget.family import BASELINE, DESCRIBED, PERMUTED, PROBE, UNSELECTED
from finetune_alf.experiments.budget.figure import (
    forest_plot,
    optimism_plot,
    replicates_plot,
    spread_plot,
    tuning_plot,
)
from finetune_alf.paths import Paths
from finetune_alf.rates import HEAD
from finetune_alf.report.environments import environment_rows
from finetune_alf.report.numbers import (
    NONE,
    counted,
    duration,
    estimate,
    p_value,
    rate,
    score,
    signed,
    signed_estimate,
)
from finetune_alf.report.part import Part, documents
from finetune_alf.report.search import space_in_words, words
from finetune_alf.report.section import Section

WHAT = {
    "per_layer": "search over layers",
    "single_rate": "search for a single rate",
    "decayed": "search for a rate and a decay",
    "random": "random rates by layer, selected",
    BASELINE: "baseline, no search",
    PERMUTED: "winner over layers, in other orders",
    UNSELECTED: "random rates by layer, not selected",
    PROBE: "logistic regression on frozen features",
}


def budget_part(paths: Paths) -> Part | None:
    """Return the budgets that have run, one after another."""
    budgets = tuple(documents(paths.experiment("budget"), BudgetDocument))
    if not budgets:
        return None
    section = Section()
    for budget in budgets:
        section.append(_budget_section(budget))
    return Part(tuple(_in_short(budget) for budget in budgets), section)


def _budget_section(budget: BudgetDocument) -> Section:
    section, name = Section(), budget.name
    section.text(f"## Budget `{name}`")
    section.text(*_method(budget))
    section.table(("what", "value"), _settings(budget))
    section.figure(
        f"{name}-forest.png",
        f"How much higher the search over layers of {name} scores, by sample and over all, with 95 % intervals",
        forest_plot(budget),
    )
    section.table(_CONTRAST_HEADER, [_contrast_row(budget, other, own) for other, own in budget.contrasts.items()])
    section.text(*_how_to_read(budget))
    section.table(_by_sample_header(budget), list(_sample_rows(budget)))
    section.text(*_power(budget))
    section.figure(
        f"{name}-replicates.png", f"Test {words(budget.metric)} of every replicate of {name}", replicates_plot(budget)
    )
    section.table(_score_header(budget), list(_score_rows(budget)))
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


_CONTRAST_HEADER = (
    *("search over layers minus", "difference", "p", "corrected p", "p of equivalence, corrected"),
    *("smallest difference shown", "decision"),
)


def _contrast_row(budget: BudgetDocument, other: str, contrast: ContrastResult) -> list[str]:
    return [
        WHAT[other],
        _difference(contrast.pooled),
        p_value(contrast.p),
        p_value(contrast.p_holm),
        p_value(contrast.p_equivalence_holm),
        NONE if contrast.smallest is None else score(contrast.smallest),
        _decision(budget, contrast),
    ]


def _decision(budget: BudgetDocument, contrast: ContrastResult) -> str:
    if not budget.is_complete:
        return "not before all replicates"
    return f"**{contrast.decision}**" if contrast.decision else "nothing shown"


def _how_to_read(budget: BudgetDocument) -> Iterator[str]:
    yield (
        f"The declared family: {DESCRIBED}. A difference is that of a replicate; p is by sign flips of replicates "
        "within their samples, intervals are t intervals with the samples fixed, and p are corrected by Holm's method. "
        f'"No practical difference" means that two one-sided tests show it to lie within {signed(-budget.margin)} and '
        f'{signed(budget.margin)}. "Nothing shown" is no evidence of equality. All other numbers on this page are '
        "estimates."
    )
    yield (
        "Conclusions hold for these samples and their test texts; "
        f"{counted(len(budget.samples), 'sample')} say little of others."
    )


def _by_sample_header(budget: BudgetDocument) -> tuple[str, ...]:
    return ("sample", *(f"minus {WHAT[other]}" for other in budget.contrasts), "smallest difference shown")


def _sample_rows(budget: BudgetDocument) -> Iterator[list[str]]:
    for sample in budget.samples:
        own = [contrast for contrast in budget.contrasts.values() if sample.name in contrast.by_sample]
        if own:
            smallest = [contrast.smallest_by_sample[sample.name] for contrast in own]
            shown = [each for each in smallest if each is not None]
            cells = [_difference(contrast.by_sample[sample.name]) for contrast in own]
            yield [f"`{sample.name}`", *cells, score(max(shown)) if shown else NONE]


def _power(budget: BudgetDocument) -> Iterator[str]:
    yield "Smallest difference shown: with a probability of 80 %, at the strictest level of the family."
    if budget.pilot is None:
        return
    needed = "; ".join(
        f"{WHAT[other]} {'over 10,000' if n is None else n} (sd {score(budget.pilot.sd[other])})"
        for other, n in budget.pilot.needed.items()
    )
    yield (
        f"After the first {budget.pilot.n_replicates} replicates of each sample, a difference of "
        f"{score(budget.margin)} was estimated to need so many of each: {needed}. Planned: {budget.n_replicates}."
    )


def _score_header(budget: BudgetDocument) -> tuple[str, ...]:
    names = [f"`{sample.name}`" for sample in budget.samples if sample.n_replicates]
    return (f"test {words(budget.metric)}", "all samples", *names)


def _score_rows(budget: BudgetDocument) -> Iterator[list[str]]:
    samples = [sample for sample in budget.samples if sample.n_replicates]
    for name, compared in budget.compared.items():
        yield [WHAT[name], _score(compared.pooled), *(_score(compared.by_sample[sample.name]) for sample in samples)]
    yield ["one class for all texts", NONE, *(score(sample.majority_baseline) for sample in samples)]


def _optimism_rows(budget: BudgetDocument) -> Iterator[list[str]]:
    for arm, found in budget.optimism.items():
        yield [WHAT[arm], score(found.search), score(found.confirmation), score(found.test)]


def _spread_rows(budget: BudgetDocument) -> Iterator[list[str]]:
    for name, spread in budget.spreads.items():
        yield [words(name), *_deviations(spread)]


def _deviations(spread: Spread) -> Iterator[str]:
    for variance in (spread.draw, spread.search, spread.seed, spread.text):
        yield NONE if variance is None else f"{100 * sqrt(variance):.1f}"


def _difference(found: MeanOverReplicates) -> str:
    return signed(found.mean) if found.low is None else signed_estimate(found.mean, found.low, found.high)


def _score(found: MeanOverReplicates) -> str:
    if found.low is None or found.high is None:
        return score(found.mean)
    return estimate(Estimate(mean=found.mean, low=found.low, high=found.high))


def _pools(budget: BudgetDocument) -> str:
    return ", ".join(f"`{sample.name}` {sum(sample.pool.values()):,}" for sample in budget.samples)


def _progress(budget: BudgetDocument) -> str:
    n_done = sum(sample.n_replicates for sample in budget.samples)
    return f"{n_done} of {counted(budget.n_replicates * len(budget.samples), 'replicate')}"


def _in_short(budget: BudgetDocument) -> str:
    differences = "; ".join(
        f"minus {WHAT[other]} {_difference(contrast.pooled)}, {_decision(budget, contrast)}"
        for other, contrast in budget.contrasts.items()
    )
    return (
        f"Budget `{budget.name}`, {_progress(budget)}: the search over layers has a test {words(budget.metric)} of "
        f"{score(budget.compared['per_layer'].pooled.mean)}; {differences}."
    )
