"""The tested contrasts of a budget: over all samples, by sample, and what could have been shown."""

from collections.abc import Iterator

from finetune_alf.experiments.budget.document import BudgetDocument, ContrastResult
from finetune_alf.experiments.budget.family import DESCRIBED
from finetune_alf.experiments.budget.figure import forest_plot
from finetune_alf.experiments.budget.page_names import WHAT, difference_cell
from finetune_alf.report.numbers import NONE, counted, p_value, score, signed
from finetune_alf.report.section import Section

_CONTRAST_HEADER = (
    *("search over layers minus", "difference", "p", "corrected p", "p of equivalence, corrected"),
    *("smallest difference shown", "decision"),
)


def contrasts_section(budget: BudgetDocument) -> Section:
    """Return the contrasts as a figure and tables, how to read them, and the smallest difference shown."""
    section = Section()
    section.figure(
        f"{budget.name}-contrasts.png",
        f"How much higher the search over layers of {budget.name} scores, by sample and over all, with 95 % intervals",
        forest_plot(budget),
    )
    section.table(_CONTRAST_HEADER, [_contrast_row(budget, other, own) for other, own in budget.contrasts.items()])
    section.text(*_how_to_read(budget))
    section.table(_by_sample_header(budget), list(_sample_rows(budget)))
    section.text(*_power(budget))
    return section


def _contrast_row(budget: BudgetDocument, other: str, contrast: ContrastResult) -> list[str]:
    return [
        WHAT[other],
        difference_cell(contrast.pooled),
        p_value(contrast.p),
        p_value(contrast.p_holm),
        p_value(contrast.p_equivalence_holm),
        NONE if contrast.smallest is None else score(contrast.smallest),
        decision_cell(budget, contrast),
    ]


def decision_cell(budget: BudgetDocument, contrast: ContrastResult) -> str:
    """Write what was decided of a contrast."""
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
        f"{counted(len(budget.samples), 'sample')} {'says' if len(budget.samples) == 1 else 'say'} little of others."
    )


def _by_sample_header(budget: BudgetDocument) -> tuple[str, ...]:
    return ("sample", *(f"minus {WHAT[other]}" for other in budget.contrasts), "smallest difference shown")


def _sample_rows(budget: BudgetDocument) -> Iterator[list[str]]:
    for sample in budget.samples:
        own = [contrast for contrast in budget.contrasts.values() if sample.name in contrast.by_sample]
        if own:
            smallest = [contrast.smallest_by_sample[sample.name] for contrast in own]
            shown = [each for each in smallest if each is not None]
            cells = [difference_cell(contrast.by_sample[sample.name]) for contrast in own]
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
