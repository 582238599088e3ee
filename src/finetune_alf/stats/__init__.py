"""Intervals, paired tests and verdicts over right and wrong answers; pure numpy.

`intervals.py` says how far a mean may be off, `paired.py` whether two schemes differ on the same texts, `verdict.py`
what may be said after several such comparisons. Which cells are compared is the business of `transfer/`.
"""

from finetune_alf.stats.intervals import Interval, crossed_bootstrap, mean_interval, wilson
from finetune_alf.stats.paired import Difference, paired_difference, sign_flip_p
from finetune_alf.stats.verdict import NO_EVIDENCE, SIGNIFICANCE, Verdict, holm, verdict

__all__ = [
    "NO_EVIDENCE",
    "SIGNIFICANCE",
    "Difference",
    "Interval",
    "Verdict",
    "crossed_bootstrap",
    "holm",
    "mean_interval",
    "paired_difference",
    "sign_flip_p",
    "verdict",
    "wilson",
]
