"""Operating points: the smallest number of trained layers that keeps most of what the full model reaches.

A level is judged by its score above a floor: 0 for the raw score, as in section 4.1 of Lee et al. 2019, or the majority
baseline on the same texts, for the gain of fine-tuning. A level keeps a fraction k if its margin,

    (score - floor) - k (full - floor),

is at least 0. A margin needs no division, so its interval is sound even where the full model hardly exceeds the floor.
"""

from collections.abc import Mapping

from finetune_alf.experiments.freeze.document import OperatingPoint
from finetune_alf.stats import Interval, Scores, estimate

TOLERANCE = 1e-9
"""Scores that differ by less are equal: the mean of equal scores over seeds may differ in its last digit."""


def margin(score: Scores, full: Scores, *, keep_frac: float, floor: Scores | None) -> Interval | None:
    """Return the interval of a level's margin, over the seeds that it shares with the full model; None without any.

    The floor is scored on the same texts, with all of the seeds; without one it is 0.
    """
    kept = score - full * keep_frac
    if floor is not None:
        kept = kept - floor * (1 - keep_frac)
    if not kept.seeds:
        return None
    found = estimate(kept)
    return Interval(found.mean, found.low, found.high)


def operating_point(margins: Mapping[int, Interval | None], *, full: float, floor: float) -> OperatingPoint | None:
    """Return the operating point, from the margins of the levels by number of trained layers.

    None if the full model's score is not above the floor, so that there is nothing to keep.
    """
    if full <= floor + TOLERANCE:
        return None
    ordered = {n: margins[n] for n in sorted(margins)}
    keeping = [n for n, interval in ordered.items() if interval is not None and interval.mean >= -TOLERANCE]
    smallest = keeping[0] if keeping else None
    from_there = [n for n in ordered if smallest is not None and n >= smallest]
    return OperatingPoint(n_trained=smallest, n_conservative=_conservative(ordered), is_monotone=keeping == from_there)


def _conservative(margins: Mapping[int, Interval | None]) -> int | None:
    """Return the smallest number from which on every interval lies at or above 0."""
    smallest = None
    for n, interval in reversed(list(margins.items())):
        if interval is None or interval.low < -TOLERANCE:
            break
        smallest = n
    return smallest
