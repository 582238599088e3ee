"""Intervals, paired tests and verdicts over what was predicted; pure numpy.

`intervals.py` says how far a mean may be off, `paired.py` whether two schemes differ on the same texts; `measured.py`
both of any metric, with those of `weighted.py`. `verdict.py` says what may be said after several such comparisons.
Which cells are compared is the business of `transfer/`.
"""

from finetune_alf.stats.intervals import Interval, crossed_bootstrap, mean_interval, wilson
from finetune_alf.stats.measured import Measure, exchange_p, score_difference, score_interval
from finetune_alf.stats.paired import Difference, paired_difference, sign_flip_p
from finetune_alf.stats.verdict import NO_EVIDENCE, SIGNIFICANCE, Verdict, holm, verdict

__all__ = [
    "NO_EVIDENCE",
    "SIGNIFICANCE",
    "Difference",
    "Interval",
    "Measure",
    "Verdict",
    "crossed_bootstrap",
    "exchange_p",
    "holm",
    "mean_interval",
    "paired_difference",
    "score_difference",
    "score_interval",
    "sign_flip_p",
    "verdict",
    "wilson",
]
