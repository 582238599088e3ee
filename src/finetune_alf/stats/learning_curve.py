"""Learning curves: scores by number of training texts, and the number at which a curve reaches another score.

Between two numbers a curve is taken as linear in the logarithm of the number. The interval has every number at which
the curve does not differ from the score by the 95 % t interval of their difference over seeds and texts: an inverted
test, as in Fieller's theorem (1954). So it agrees with the verdicts, and may be open on either side.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np

from finetune_alf.errors import InputError
from finetune_alf.stats.crossed import estimate
from finetune_alf.stats.scores import Scores

N_STEPS = 24
"""The numbers of texts that are tried between two neighbours of a curve, in equal ratios."""

Curve = Mapping[int, Scores]
"""Number of training texts -> scores under seeds that all of them have."""


@dataclass(frozen=True)
class Equivalent:
    """The number of texts at which a curve reaches a score, and its interval.

    `n` is None where the curve lies below the score, or above it, all the way; `beyond` says which. `low` is None where
    the interval begins below the curve's smallest number, `high` where it ends beyond its largest.
    """

    n: int | None
    low: int | None
    high: int | None
    beyond: Literal["above", "below"] | None = None


def gain(scores: Scores, fewer: Scores, n: int, n_fewer: int, per: int) -> Scores:
    """Return what `per` more texts add to a score between two numbers of texts."""
    return (scores - fewer) * (per / (n - n_fewer))


def equivalent(scores: Scores, n: int, curve: Curve) -> Equivalent:
    """Return at how many texts a curve reaches these scores, which are of `n` texts, one of the curve's numbers.

    Where a curve rises and falls, it is the nearest such number to `n`. Raises InputError where the curve lacks `n`.
    """
    if n not in curve:
        raise InputError(f"n: must be one of {', '.join(map(str, sorted(curve)))}, but got {n}.")
    gaps = {tried: estimate(gap_at(scores, curve, tried)) for tried in tried_numbers(sorted(curve))}
    numbers = list(gaps)
    nearest, beyond = _nearest({tried: each.mean for tried, each in gaps.items()}, n)
    own = [] if nearest is None else [nearest]  # an interval may be narrower than the steps
    low = min([*(tried for tried in numbers if gaps[tried].low <= 0), *own], default=numbers[-1])
    high = max([*(tried for tried in numbers if gaps[tried].high >= 0), *own], default=numbers[0])
    return Equivalent(
        nearest,
        None if low == numbers[0] else low,
        None if high == numbers[-1] else high,
        beyond,
    )


def gap_at(scores: Scores, curve: Curve, n: int) -> Scores:
    """Return scores minus those of the curve at a number of texts within its range."""
    if n in curve:
        return scores - curve[n]
    below, above = max(each for each in curve if each < n), min(each for each in curve if each > n)
    share = (log(n) - log(below)) / (log(above) - log(below))
    return scores - curve[below] * (1 - share) - curve[above] * share


def tried_numbers(numbers: list[int]) -> list[int]:
    """Return the numbers of texts that are tried: a curve's own, and N_STEPS between two of them."""
    between = [np.geomspace(a, b, N_STEPS + 2).round() for a, b in itertools.pairwise(numbers)]
    return sorted({*numbers, *(int(number) for some in between for number in some)})


def _nearest(gaps: Mapping[int, float], n: int) -> tuple[int | None, Literal["above", "below"] | None]:
    """Return the nearest number at which the gap closes, upwards where the score is the higher one; gaps by number."""
    if gaps[n] >= 0:
        up = [tried for tried in gaps if tried >= n and gaps[tried] <= 0]
        return (min(up), None) if up else (None, "above")
    down = [tried for tried in gaps if tried <= n and gaps[tried] >= 0]
    return (max(down), None) if down else (None, "below")
