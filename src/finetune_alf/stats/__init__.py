"""Scores of fits over crossed seeds and texts: intervals, tests, corrections, verdicts, power; numpy and SciPy's t.

`scores.py` makes of predictions what each text contributes to a score, for any metric, by the functions of
`weighted.py`. `crossed.py` estimates a mean over seeds and texts, and a paired difference, which is such a mean.
`verdict.py` corrects for several comparisons, and `power.py` says what it would take to find a difference.
`paired.py` is about texts alone, `winner.py` about the best of several.
"""

from finetune_alf.stats.crossed import Components, Estimated, estimate
from finetune_alf.stats.intervals import Interval, wilson_ends
from finetune_alf.stats.paired import sign_flip_p
from finetune_alf.stats.power import Needed, needed, pooled
from finetune_alf.stats.scores import ScoredMetric, Scores, combined_scores, scores_of
from finetune_alf.stats.verdict import NO_EVIDENCE, SIGNIFICANCE_LEVEL, TOO_FEW_SEEDS, Verdict, holm, verdict
from finetune_alf.stats.winner import optimism

__all__ = [
    "NO_EVIDENCE",
    "SIGNIFICANCE_LEVEL",
    "TOO_FEW_SEEDS",
    "Components",
    "Estimated",
    "Interval",
    "Needed",
    "ScoredMetric",
    "Scores",
    "Verdict",
    "combined_scores",
    "estimate",
    "holm",
    "needed",
    "optimism",
    "pooled",
    "scores_of",
    "sign_flip_p",
    "verdict",
    "wilson_ends",
]
