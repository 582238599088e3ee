"""Which trials are worth confirming, and which of them become schedules."""

from collections.abc import Callable, Sequence

from finetune_alf.errors import InputError
from finetune_alf.rates import LayerRates
from finetune_alf.spec import Spec
from finetune_alf.study.records import TrialRecord

Distance = Callable[[LayerRates, LayerRates], float]
"""How far apart two sets of rates are, in grid steps a searched rate."""


class Candidate(Spec):
    """A trial fitted again over fresh seeds: its scores on the confirmation split, their mean and 95 % interval.

    `distance` is the mean distance of its rates from those of ALF-1, in grid steps.
    """

    trial: int
    rates: dict[str, float]
    search_score: float
    scores: tuple[float, ...]
    mean: float
    low: float
    high: float
    distance: float | None = None


def pick_trials(
    records: Sequence[TrialRecord], baseline: LayerRates, n_top: int, distance: Distance, min_distance: float
) -> list[TrialRecord]:
    """Return the best trial, then the next best that differ clearly from all picked before.

    Near copies of the best trial are passed over: TPE crowds around its best, and a second schedule that hardly
    differs from the first would tell nobody anything. So is the baseline itself, which every schedule is compared
    with. Raises InputError when fewer than two differ enough.
    """
    done = [record for record in records if record.score is not None and record.layer_rates != baseline]
    picked: list[TrialRecord] = []
    for record in sorted(done, key=lambda record: (-(record.score or 0.0), record.number)):
        rates = LayerRates(record.rates)
        if all(distance(rates, LayerRates(other.rates)) >= min_distance for other in picked):
            picked.append(record)
        if len(picked) == n_top:
            break
    if len(picked) < 2:
        raise InputError(
            f"register.min_distance: must leave two trials that differ clearly, but {min_distance:g} grid steps leave "
            f"{len(picked)} of {len(done)}. Lower it, or raise n_trials."
        )
    return picked


def ranked(candidates: Sequence[Candidate], distance: Distance) -> list[Candidate]:
    """Return the candidates by confirmed score, the earlier trial first among equals, each with its distance."""
    by_score = sorted(candidates, key=lambda candidate: (-candidate.mean, candidate.trial))
    first = LayerRates(by_score[0].rates)
    return [
        candidate.model_copy(update={"distance": distance(LayerRates(candidate.rates), first)})
        for candidate in by_score
    ]


def choose(by_score: Sequence[Candidate], min_distance: float) -> dict[str, Candidate]:
    """Return ALF-1, the best of ranked candidates, and ALF-2, the best that differs clearly from it, by alias."""
    first, *rest = by_score
    return {"alf-1": first, "alf-2": next(c for c in rest if (c.distance or 0.0) >= min_distance)}
