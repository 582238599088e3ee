"""Does a schedule help elsewhere: scores by scheme and sample, and the differences from the baseline, tested."""

from collections import Counter
from collections.abc import Callable

from finetune_alf.experiments.transfer.figure import transfer_plot
from finetune_alf.metrics import METRICS
from finetune_alf.report.load import StudyResults, Transferred
from finetune_alf.report.numbers import NONE, chance, counted, duration, estimate, score, signed_estimate
from finetune_alf.report.records import Estimate, SchemeResult
from finetune_alf.report.search import words
from finetune_alf.report.section import Section
from finetune_alf.stats import NO_EVIDENCE

Transfers = tuple[Transferred, ...]


def how_it_transfers(results: StudyResults) -> Section:
    """Return the transfer tables and figure; rows are schemes, columns samples, as in the thesis."""
    section, transfers, measure = Section(), results.transfers, _measure(results.transfers)
    section.say(_grounds(transfers))
    section.say(f"**Test {measure}**")
    section.tabulate(
        ("scheme", *_samples(transfers), "time of a fit"),
        [[*row, _fit_time(transfers, scheme)] for scheme, row in _rows(transfers, lambda one: one.score)],
    )
    section.show(
        f"{results.name}-transfer.png",
        f"Test {measure} of each scheme of {results.name} on each sample, with 95 % intervals",
        _plot(transfers, measure),
    )
    section.say(*_warnings(transfers))
    section.say(f"**Differences from the baseline** ({measure}, on the same texts and seeds)")
    section.tabulate(("sample", "scheme", "difference", "p", "p, corrected", "verdict"), _difference_rows(transfers))
    section.say(overall(transfers), _how_judged(transfers))
    for title, own, pick in BESIDE:
        there = [pick(result) for one in transfers for result in one.compared.schemes.values()]
        if own != measure and any(there):
            section.say(title)
            section.tabulate(("scheme", *_samples(transfers)), [row for _, row in _rows(transfers, pick)])
    return section


BESIDE: tuple[tuple[str, str, Callable[[SchemeResult], Estimate | None]], ...] = (
    ("**Accuracy**", "accuracy", lambda r: r.accuracy),
    (
        "**Balanced accuracy** (the mean of the classes' recalls)",
        "balanced accuracy",
        lambda one: one.balanced_accuracy,
    ),
)
"""What stands beside the metric where labels are classes."""


def schemes_of(transfers: Transfers) -> tuple[str, ...]:
    """Return the schemes of all samples, in the order of the files."""
    return tuple(dict.fromkeys(scheme for one in transfers for scheme in one.compared.schemes))


def verdicts(transfers: Transfers, scheme: str) -> dict[str, str]:
    """Return the verdict on a scheme, sample by sample."""
    differences = {one.compared.sample.name: one.compared.schemes.get(scheme) for one in transfers}
    return {name: one.difference.verdict for name, one in differences.items() if one and one.difference}


def overall(transfers: Transfers) -> str | None:
    """Say how many of the differences from the baseline were which way."""
    said = Counter(word for scheme in schemes_of(transfers) for word in verdicts(transfers, scheme).values())
    if not said:
        return None
    return (
        f"Of {counted(said.total(), 'comparison')} with the baseline, {said['better']} came out better and "
        f"{said['worse']} worse; for {said[NO_EVIDENCE]} there is no evidence of a difference, "
        "which is not evidence of equality."
    )


def _samples(transfers: Transfers) -> list[str]:
    return [f"`{one.compared.sample.name}`" for one in transfers]


def _measure(transfers: Transfers) -> str:
    """Return what all schemes are scored by, in words."""
    return " or ".join(dict.fromkeys(words(one.compared.metric) for one in transfers))


def _rows(transfers: Transfers, pick: Callable[[SchemeResult], Estimate | None]) -> list[tuple[str, list[str]]]:
    def cell(one: Transferred, scheme: str) -> str:
        found = pick(one.compared.schemes[scheme]) if scheme in one.compared.schemes else None
        return estimate(found) if found else NONE

    return [(scheme, [f"`{scheme}`", *(cell(one, scheme) for one in transfers)]) for scheme in schemes_of(transfers)]


def _difference_rows(transfers: Transfers) -> list[list[str]]:
    return [
        [
            f"`{one.compared.sample.name}`",
            f"`{scheme}`",
            signed_estimate(compared.mean, compared.low, compared.high),
            chance(compared.p),
            chance(compared.p_holm),
            compared.verdict if compared.verdict == NO_EVIDENCE else f"**{compared.verdict}**",
        ]
        for one in transfers
        for scheme, result in one.compared.schemes.items()
        if (compared := result.difference)
    ]


def _fit_time(transfers: Transfers, scheme: str) -> str:
    seconds = [cell.seconds for one in transfers for cell in one.cells if cell.scheme == scheme]
    return duration(sum(seconds) / len(seconds)) if seconds else NONE


def _grounds(transfers: Transfers) -> str:
    tests = ", ".join(f"`{one.compared.sample.name}` {one.compared.sample.n_test:,}" for one in transfers)
    return (
        "Each cell fine-tunes the pre-trained encoder on the sample's own training split and tests on its test split; "
        f"{counted(_n_seeds(transfers), 'seed')} a scheme. Test texts: {tests}. "
        "Intervals are 95 %, by resampling seeds and texts."
    )


def _warnings(transfers: Transfers) -> list[str]:
    at_chance = [
        f"`{scheme}` on `{one.compared.sample.name}` ({score(one.compared.sample.majority)})"
        for one in transfers
        for scheme, result in one.compared.schemes.items()
        if result.score.low <= one.compared.sample.majority
    ]
    diverged = Counter(cell.scheme for one in transfers for cell in one.cells if cell.stopped == "diverged")
    said = []
    if at_chance:
        one_answer = "the mean score" if _of_scores(transfers) else "the commonest class"
        said.append(f"Not shown to beat naming {one_answer} every time: {'; '.join(at_chance)}.")
    if diverged:
        told = ", ".join(f"`{scheme}` {n} x" for scheme, n in diverged.items())
        said.append(f"Diverged, so without a score: {told}.")
    return said


def _how_judged(transfers: Transfers) -> str:
    test = "exact sign-flip test over texts"
    if _measure(transfers) != "accuracy":
        test = "randomization test, the two schemes' answers exchanged text by text"
    said = (
        f"p: {test}; corrected after Holm over the schemes of a sample. "
        '"Better" and "worse" need a corrected p below .05 and an interval that leaves 0 out.'
    )
    known = {1: "With one seed nothing is known", 2: "With two seeds little is known"}.get(_n_seeds(transfers))
    return f"{said} {known} of how seeds differ." if known else said


def _n_seeds(transfers: Transfers) -> int:
    return len({cell.seed for one in transfers for cell in one.cells})


def _of_scores(transfers: Transfers) -> bool:
    return any(METRICS[one.compared.metric].of == "score" for one in transfers if one.compared.metric in METRICS)


def _plot(transfers: Transfers, measure: str) -> bytes:
    points = {
        one.compared.sample.name: {scheme: result.score.model_dump() for scheme, result in one.compared.schemes.items()}
        for one in transfers
    }
    majority = {one.compared.sample.name: one.compared.sample.majority for one in transfers}
    return transfer_plot(points, None if _of_scores(transfers) else majority, measure)
