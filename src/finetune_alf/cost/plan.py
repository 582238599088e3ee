"""The time of a stage: its fits, one after another or several at once, and what lies between them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Expected:
    """What a stage is expected to take, in seconds: one fit on average, and all of them."""

    n_fits: int
    fit_s: float
    seconds: float


def expected(fits_s: Sequence[float], *, n_workers: int = 1, between_s: float = 0.0) -> Expected:
    """Return what fits of these seconds take, `n_workers` of them at a time.

    `between_s` is what passes from one fit's end to the next one's start. Workers are taken not to slow each other
    down: the seconds must be for the threads that each of them gets.
    """
    fit_s = fmean(fits_s)
    return Expected(len(fits_s), fit_s, math.ceil(len(fits_s) / n_workers) * (fit_s + between_s))
