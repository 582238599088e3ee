"""Select the trials that are confirmed, and from those the two that become schedules."""

from collections.abc import Callable, Mapping, Sequence

from finetune_alf.comparison import ComparedDifference
from finetune_alf.documents import Estimate
from finetune_alf.errors import InputError, PartialError
from finetune_alf.rates import LayerRates
from finetune_alf.register.confirm import Confirmation, trial_name
from finetune_alf.study.records import TrialRecord

Distance = Callable[[LayerRates, LayerRates], float]
"""The distance of two sets of rates, in grid steps per searched rate; in decades where rates are from a range."""


class Candidate(Estimate):
    """A trial fitted again with new seeds: its scores on the confirmation split, their mean and 95 % interval.

    `distance` is the mean distance of its rates from those of ALF-1, as `Distance`. The differences are those from the
    references over the same seeds and texts; None where the reference diverged, or was not confirmed.
    """

    trial: int
    rates: LayerRates
    search_score: float
    scores: tuple[float, ...]
    distance: float | None = None
    from_baseline: ComparedDifference | None = None
    from_single_rate: ComparedDifference | None = None


def select_trials(
    records: Sequence[TrialRecord], baseline: LayerRates, n_top: int, distance: Distance, min_distance: float
) -> list[TrialRecord]:
    """Return the best `n_top` trials that differ in their rates, by at least `min_distance` from each other.

    TPE samples many near copies of its best trial, and a second schedule that hardly differs from the first adds
    nothing. The baseline is left out, because every schedule is compared with it. Raises InputError when fewer than two
    trials are far enough apart.
    """
    complete = [record for record in records if record.score is not None and record.rates != baseline]
    selected: list[TrialRecord] = []
    for record in sorted(complete, key=lambda record: (-(record.score or 0.0), record.number)):
        far = (distance(record.rates, other.rates) >= min_distance for other in selected)
        if all(far) and all(record.rates != other.rates for other in selected):
            selected.append(record)
        if len(selected) == n_top:
            break
    if len(selected) < 2:
        raise InputError(
            f"register.min_distance: must leave two trials or more, but {min_distance:g} leaves "
            f"{len(selected)} of {len(complete)}. {'Lower it, or raise' if min_distance else 'Raise'} n_trials."
        )
    return selected


def confirmed_candidates(
    study: str, selected: Sequence[TrialRecord], confirmed: Mapping[str, Confirmation]
) -> list[Candidate]:
    """Return the selected trials that did not diverge in their confirmation. Raises PartialError for fewer than two."""
    found = [
        Candidate(
            trial=record.number,
            rates=record.rates,
            search_score=record.score,
            scores=again.scores,
            **dict(again.estimate),
        )
        for record in selected
        if (again := confirmed.get(trial_name(record.number))) and record.score is not None
    ]
    if len(found) < 2:
        raise PartialError(
            f"studies.{study}: two trials must be confirmed, but only {len(found)} of {len(selected)} did not "
            "diverge. Raise register.n_top, or search lower rates."
        )
    return found


def rank_candidates(candidates: Sequence[Candidate], distance: Distance) -> list[Candidate]:
    """Return the candidates by mean score, of equal ones the earlier trial first, each with its distance."""
    by_score = sorted(candidates, key=lambda candidate: (-candidate.mean, candidate.trial))
    best = by_score[0].rates
    return [candidate.model_copy(update={"distance": distance(candidate.rates, best)}) for candidate in by_score]


def choose_schedules(by_score: Sequence[Candidate], min_distance: float) -> dict[str, Candidate]:
    """Return alias -> candidate: ALF-1 is the best, ALF-2 the best of those at least `min_distance` from it."""
    first, *rest = by_score
    return {"alf-1": first, "alf-2": next(c for c in rest if (c.distance or 0.0) >= min_distance)}
