"""Confidence intervals, paired tests and verdicts over predictions; pure numpy.

`intervals.py` has intervals of an accuracy, `paired.py` the paired difference of two accuracies, and `bootstrap.py`
both for any metric, computed by the functions of `weighted.py`. `verdict.py` corrects for several comparisons.
"""

from finetune_alf.stats.bootstrap import ComparableMetric, randomization_p, score_difference, score_interval
from finetune_alf.stats.intervals import Interval, accuracy_interval, crossed_bootstrap, wilson_interval
from finetune_alf.stats.paired import Difference, paired_difference, sign_flip_p
from finetune_alf.stats.verdict import NO_EVIDENCE, SIGNIFICANCE_LEVEL, Verdict, holm, verdict

__all__ = [
    "NO_EVIDENCE",
    "SIGNIFICANCE_LEVEL",
    "ComparableMetric",
    "Difference",
    "Interval",
    "Verdict",
    "accuracy_interval",
    "crossed_bootstrap",
    "holm",
    "paired_difference",
    "randomization_p",
    "score_difference",
    "score_interval",
    "sign_flip_p",
    "verdict",
    "wilson_interval",
]
