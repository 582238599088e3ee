"""How the pages of a budget name arms and controls, and write means over replicates."""

from finetune_alf.documents import Estimate
from finetune_alf.experiments.budget.arms import DECAYED, PER_LAYER, RANDOM, SINGLE_RATE
from finetune_alf.experiments.budget.document import MeanOverReplicates
from finetune_alf.experiments.budget.family import BASELINE, PERMUTED, PROBE, UNSELECTED
from finetune_alf.report.numbers import estimate, score, signed, signed_estimate

WHAT = {
    PER_LAYER: "search over layers",
    SINGLE_RATE: "search for a single rate",
    DECAYED: "search for a rate and a decay",
    RANDOM: "random rates by layer, selected",
    BASELINE: "baseline, no search",
    PERMUTED: "winner over layers, in other orders",
    UNSELECTED: "random rates by layer, not selected",
    PROBE: "logistic regression on frozen features",
}
"""Arms and controls in words."""


def difference_cell(found: MeanOverReplicates) -> str:
    """Write a mean difference with its interval, where there is one."""
    return signed(found.mean) if found.low is None else signed_estimate(found.mean, found.low, found.high)


def score_cell(found: MeanOverReplicates) -> str:
    """Write a mean score with its interval, where there is one."""
    if found.low is None or found.high is None:
        return score(found.mean)
    return estimate(Estimate(mean=found.mean, low=found.low, high=found.high))
