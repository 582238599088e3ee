"""How pages word evidence: verdicts, constant predictions, and what few seeds do not show."""

from finetune_alf.metrics import PROBLEM_TYPES, MetricName
from finetune_alf.stats import NO_EVIDENCE


def verdict_cell(verdict: str) -> str:
    """Return a verdict as a table shows it: a difference in bold."""
    return verdict if verdict == NO_EVIDENCE else f"**{verdict}**"


def constant_baseline(metric: MetricName) -> str:
    """Return the name of the baseline with one prediction for all texts (`metrics.majority_baseline`)."""
    return "the majority baseline" if PROBLEM_TYPES[metric] == "classification" else "the mean-score baseline"


def few_seeds(n_seeds: int) -> str | None:
    """Return the caution for one or two seeds; None for more."""
    cautions = {
        1: "One seed does not show how much scores vary between seeds: intervals are over texts only.",
        2: "Two seeds show little of how much scores vary between seeds.",
    }
    return cautions.get(n_seeds)
