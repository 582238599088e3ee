"""The time of a stage: its fits, one after another or in parallel, and the time between them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class StageTime:
    """The expected time of a stage, in seconds: the mean of a fit, and the whole stage."""

    n_fits: int
    fit_s: float
    seconds: float


def stage_time(fits_s: Sequence[float], *, n_workers: int = 1, between_s: float = 0.0) -> StageTime:
    """Return the time of fits of these seconds, `n_workers` of them in parallel.

    `between_s` is the time from one fit's end to the next one's start. Workers are assumed not to slow each other
    down: the seconds must be for the threads that each of them gets.
    """
    fit_s = fmean(fits_s)
    return StageTime(len(fits_s), fit_s, math.ceil(len(fits_s) / n_workers) * (fit_s + between_s))
