"""How pages word evidence: verdicts, power, constant predictions, and what few seeds do not show."""

from collections.abc import Sequence

from finetune_alf.comparison import ComparedDifference
from finetune_alf.metric_names import PROBLEM_TYPES, MetricName
from finetune_alf.report.numbers import NONE, counted, p_value
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.stats import NO_EVIDENCE, TOO_FEW_SEEDS, Components, Needed, needed, pooled
from finetune_alf.stats.power import MOST_SEEDS, MOST_TEXTS

POINTS = (1, 2, 3)
"""The differences, in hundredths of a score, that the line of power is about."""

EXPLORATORY = "exploratory"
"""The verdict's place in a table where a comparison has none."""


def how_to_read(described: str, differences: Sequence[ComparedDifference], n_seeds: int) -> str:
    """Return how to read differences of which a family, given in words, has verdicts: these, few seeds, and power."""
    judged = [difference.variance.components for difference in differences if difference.verdict]
    sentences = (
        how_judged(described, [difference.verdict for difference in differences]),
        few_seeds(n_seeds),
        power_line(judged),
    )
    return " ".join(filter(None, sentences))


def how_judged(described: str, verdicts: Sequence[str | None]) -> str:
    """Return how to read the verdicts of a family, given in words; a comparison without a verdict is exploratory."""
    n_declared = len(verdicts) - verdicts.count(None)
    n_tested = n_declared - verdicts.count(TOO_FEW_SEEDS)
    sentences = [f"No verdicts: the declared family ({described}) has no comparison here."]
    if n_declared and not n_tested:
        sentences = [
            f"Verdicts: {described}, declared beforehand. There is none: no comparison has the seeds that one needs."
        ]
    elif n_declared:
        corrected = "corrected p" if n_tested > 1 else "p"
        together = ", and their p are corrected together by Holm's method" if n_tested > 1 else ""
        declared = f"These comparisons were declared beforehand{together}."
        sentences = [
            f"Verdicts: {described}.",
            declared if n_declared > 1 else "This comparison was declared beforehand.",
            f'"Better" and "worse" need a {corrected} below .05. Everything else is no evidence of a difference, which '
            "is not evidence of equality.",
        ]
    sentences.append("With several seeds, interval and p come from the same t over seeds and texts.")
    if None in verdicts:
        sentences.append("All other comparisons are exploratory: estimates with intervals that are not corrected.")
    return " ".join(sentences)


def verdict_cell(verdict: str | None) -> str:
    """Return a verdict as a table shows it: a difference in bold."""
    if verdict is None:
        return EXPLORATORY
    return verdict if verdict in (NO_EVIDENCE, TOO_FEW_SEEDS) else f"**{verdict}**"


def constant_baseline(metric: MetricName) -> str:
    """Return the name of the baseline with one prediction for all texts (`metrics.majority_baseline`)."""
    return "the mean-score baseline" if "regression" in PROBLEM_TYPES[metric] else "the majority baseline"


def constant_prediction(metric: MetricName) -> str:
    """Return what that baseline predicts for every text."""
    return "the mean score" if "regression" in PROBLEM_TYPES[metric] else "one class"


def few_seeds(n_seeds: int) -> str | None:
    """Return the caution for fewer seeds than a verdict needs; None for more."""
    if n_seeds >= MIN_SEEDS:
        return None
    if n_seeds == 1:
        return "One seed does not show how much scores vary between seeds: intervals and p are over texts only."
    return f"{n_seeds} seeds show little of how much scores vary between seeds; a verdict needs {MIN_SEEDS}."


def p_cell(p: float | None) -> str:
    """Return a p value as a table shows it; a dash where there is none."""
    return NONE if p is None else p_value(p)


def power_line(components: Sequence[Components]) -> str | None:
    """Return what it would take to find differences of 1, 2 and 3 points; None where no seeds' spread is known."""
    typical = pooled(components)
    if typical is None:
        return None
    (points, first), *others = [(points, needed(typical, points / 100)) for points in POINTS]
    seeds, texts = counted(typical.n_seeds, "seed"), counted(typical.n_texts, "text")
    more = "; ".join(f"{points} points {_on(found)} texts or {_with(found)} seeds" for points, found in others)
    return (
        "Power, if differences vary as much as these (80 %, p below .05 before correction): a difference of "
        f"{counted(points, 'point')} is found {_on(first)} texts with these {seeds}, or {_with(first)} seeds on these "
        f"{texts}; {more}."
    )


def _on(found: Needed) -> str:
    return f"on {_about(found.n_texts, MOST_TEXTS)}"


def _with(found: Needed) -> str:
    return f"with {_about(found.n_seeds, MOST_SEEDS)}"


def _about(n: int | None, most: int) -> str:
    """Write a number rounded up to two digits."""
    if n is None:
        return f"over {most:,}"
    unit = 10 ** max(0, len(str(n)) - 2)
    return f"{-(-n // unit) * unit:,}"
