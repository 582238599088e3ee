"""Operating points: the smallest number of trained layers that keeps most of what the full model has.

What a level has is its score above a floor: 0 for the raw score, as in section 4.1 of Lee et al. 2019, or what always
naming the commonest class scores on the same texts, for the gain that fine-tuning brings. To keep a part k of it is to
have a margin,

    (score - floor) - k (full - floor),

of at least 0. A margin needs no division, so that its interval is sound where a full model hardly beats its floor.
"""

from collections.abc import Mapping

from finetune_alf.experiments.comparison import SeedValues, seeds_interval
from finetune_alf.experiments.freeze.document import OperatingPoint
from finetune_alf.stats import Interval
from finetune_alf.stats.weighted import Floats

ROUNDING = 1e-9
"""Scores as near as this are equal: the mean of equal ones over seeds may be off in its last digit."""


def margin(score: SeedValues, full: SeedValues, *, keep: float, floor: float | Floats, seed: int) -> Interval | None:
    """Return the interval of a level's margin over the seeds that it shares with the full model; None without any.

    The floor is one for all resamples of the texts, or one for each, (1 + n_resamples,), as scores are.
    """
    shared = {each: score[each] - keep * full[each] - (1 - keep) * floor for each in score if each in full}
    return seeds_interval(shared, seed) if shared else None


def operating_point(margins: Mapping[int, Interval | None], *, full: float, floor: float) -> OperatingPoint | None:
    """Return the operating point over margins by number of trained layers, those of the frozen levels.

    None where the full model's score does not lie above the floor, so that there is nothing to keep.
    """
    if full <= floor + ROUNDING:
        return None
    known = {n: margins[n] for n in sorted(margins)}
    keeping = [n for n, own in known.items() if own is not None and own.mean >= -ROUNDING]
    least = keeping[0] if keeping else None
    larger = [n for n in known if least is not None and n >= least]
    return OperatingPoint(n_trained=least, n_sure=_sure(known), is_steady=keeping == larger)


def _sure(margins: Mapping[int, Interval | None]) -> int | None:
    """Return the smallest number from which on every interval lies at or above 0."""
    sure = None
    for n, own in reversed(list(margins.items())):
        if own is None or own.low < -ROUNDING:
            break
        sure = n
    return sure
