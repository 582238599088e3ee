"""The declared family of a budget: the three contrasts that its claims rest on. All else is an estimate."""

from finetune_alf.experiments.budget.arms import DECAYED, PER_LAYER, RANDOM, SINGLE_RATE

BASELINE, PERMUTED, UNSELECTED, PROBE = "baseline", "permuted", "unselected", "probe"
"""The controls, which nothing was searched for."""

COMPARED = (PER_LAYER, SINGLE_RATE, DECAYED, RANDOM, BASELINE, PERMUTED, UNSELECTED, PROBE)

CONTRASTS = (SINGLE_RATE, DECAYED, PERMUTED)
"""What the search over layers is tested against."""

DESCRIBED = (
    "the search over layers against a single rate, against layer-wise decay, and against its own winner's rates in "
    "other orders"
)
