"""Several comparisons at once: corrected p-values, and a verdict for each comparison."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from finetune_alf.errors import InputError

SIGNIFICANCE_LEVEL = 0.05
"""The family-wise error rate: the probability of any false positive among comparisons that are corrected together."""

Verdict = Literal["better", "worse", "no evidence of a difference", "too few seeds for a verdict"]
NO_EVIDENCE: Verdict = "no evidence of a difference"
TOO_FEW_SEEDS: Verdict = "too few seeds for a verdict"


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given.

    Each is the smallest family-wise error rate at which its test is rejected. The smallest p is multiplied by the
    number of tests, the next by one less, and none may be below the one before it (Holm 1979).
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError(f"p_values: must lie in [0, 1], but got {list(p_values)}.")
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]


def verdict(difference: float, p_holm: float) -> Verdict:
    """Return the verdict on a tested difference, by its corrected p.

    Whatever is not "better" or "worse" is no evidence of a difference, which is not evidence that there is none.
    """
    if p_holm >= SIGNIFICANCE_LEVEL:
        return NO_EVIDENCE
    return "better" if difference > 0 else "worse"
