"""What follows from finished replicates: scores, contrasts, tuning curves, optimism, and the needed number."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from statistics import fmean

from finetune_alf.experiments.budget.arms import DECAYED, PER_LAYER, RANDOM, SINGLE_RATE
from finetune_alf.experiments.budget.document import (
    Compared,
    ContrastResult,
    CurvePoint,
    MeanOverReplicates,
    Optimism,
    Pilot,
)
from finetune_alf.experiments.budget.family import BASELINE, COMPARED, CONTRASTS, PERMUTED, PROBE, UNSELECTED
from finetune_alf.experiments.budget.line import ReplicateLine, Tested
from finetune_alf.stats.replicates import (
    ReplicateMean,
    contrasts,
    needed_replicates,
    replicate_mean,
    smallest_shown,
)
from finetune_alf.stats.tuning import expected_selected, selected_so_far

ARMS = (PER_LAYER, SINGLE_RATE, DECAYED, RANDOM)

Lines = Sequence[ReplicateLine]
BySample = dict[str, list[float]]


def tests_of(line: ReplicateLine, name: str) -> list[Tested]:
    """Return the test of an arm or a control; of a control with several schedules those of all."""
    if name in ARMS:
        return [line.arms[name].test]
    schedules = {PERMUTED: line.permuted, UNSELECTED: line.random}.get(name)
    if schedules is not None:
        return [schedule.test for schedule in schedules]
    return [{BASELINE: line.baseline, PROBE: line.probe}[name]]


def score_of(line: ReplicateLine, name: str) -> float:
    """Return the mean test score of an arm or a control in a replicate."""
    return fmean(test.mean for test in tests_of(line, name))


def by_sample(lines: Lines, value: Callable[[ReplicateLine], float]) -> BySample:
    """Return a value of each replicate by sample."""
    values: BySample = {}
    for line in lines:
        values.setdefault(line.sample, []).append(value(line))
    return values


def differences(lines: Lines, other: str) -> BySample:
    """Return how much higher the search over layers scores in each replicate."""
    return by_sample(lines, lambda line: score_of(line, PER_LAYER) - score_of(line, other))


def compared(lines: Lines) -> dict[str, Compared]:
    """Return the scores of all arms and controls."""
    return {name: _compared(by_sample(lines, partial(score_of, name=name))) for name in COMPARED}


def diverged(lines: Lines) -> dict[str, int]:
    """Return how many tests of an arm or a control diverged, of those of which any did."""
    scores = {
        name: [score for line in lines for test in tests_of(line, name) for score in test.scores] for name in COMPARED
    }
    return {name: own.count(None) for name, own in scores.items() if None in own}


def contrast_results(lines: Lines, margin: float, *, is_complete: bool) -> dict[str, ContrastResult]:
    """Return the tested contrasts of the family; decisions only when all replicates are there."""
    family = {name: differences(lines, name) for name in CONTRASTS}
    results = {}
    for name, tested in contrasts(family, margin).items():
        single = {sample: replicate_mean({sample: values}) for sample, values in family[name].items()}
        results[name] = ContrastResult(
            pooled=_mean(tested.found),
            by_sample={sample: _mean(found) for sample, found in single.items()},
            p=tested.p,
            p_holm=tested.p_holm,
            p_equivalence=tested.p_equivalence,
            p_equivalence_holm=tested.p_equivalence_holm,
            smallest=tested.smallest,
            smallest_by_sample={sample: smallest_shown(found, len(family)) for sample, found in single.items()},
            decision=tested.decision if is_complete else None,
        )
    return results


def tuning_curves(lines: Lines) -> dict[str, tuple[CurvePoint, ...]]:
    """Return each arm's test score against its fits; that of the random arm is the unbiased expectation."""
    return {arm: _curve([(line.sample, _selected(line, arm)) for line in lines]) for arm in ARMS}


def optimism(lines: Lines) -> dict[str, Optimism]:
    """Return what the winners of each arm scored in the search, on confirmation and on test."""
    return {
        arm: Optimism(
            search=_mean_over_samples(lines, partial(_searched, arm=arm)),
            confirmation=_mean_over_samples(lines, partial(_confirmed, arm=arm)),
            test=_mean_over_samples(lines, partial(score_of, name=arm)),
        )
        for arm in ARMS
    }


def pilot(lines: Lines, n_pilot: int, samples: Iterable[str], margin: float) -> Pilot | None:
    """Return the spread of the first replicates and the number that the margin needs; None while they are missing."""
    first = [line for line in lines if line.index < n_pilot]
    names = list(samples)
    if any(sum(line.sample == name for line in first) < n_pilot for name in names):
        return None
    sd = {name: replicate_mean(differences(first, name)).sd or 0.0 for name in CONTRASTS}
    needed = {name: needed_replicates(own, len(names), margin, len(CONTRASTS)) for name, own in sd.items()}
    return Pilot(n_replicates=n_pilot, sd=sd, needed=needed)


def _compared(values: BySample) -> Compared:
    return Compared(
        pooled=_mean(replicate_mean(values)),
        by_sample={sample: _mean(replicate_mean({sample: own})) for sample, own in values.items()},
        replicates={sample: tuple(own) for sample, own in values.items()},
    )


def _mean(found: ReplicateMean) -> MeanOverReplicates:
    return MeanOverReplicates(
        mean=found.mean, low=found.low, high=found.high, sd=found.sd, n_replicates=found.n_replicates
    )


def _selected(line: ReplicateLine, arm: str) -> list[float]:
    search = line.arms[arm].search
    validation, test = ([score or 0.0 for score in scores] for scores in (search.validation, search.test))
    return expected_selected(validation, test) if arm == RANDOM else selected_so_far(search.params, validation, test)


def _curve(curves: Sequence[tuple[str, list[float]]]) -> tuple[CurvePoint, ...]:
    """Return the means of curves, each of a sample, with their intervals."""
    points = []
    for index in range(min(len(curve) for _, curve in curves)):
        values: BySample = {}
        for sample, curve in curves:
            values.setdefault(sample, []).append(curve[index])
        found = replicate_mean(values)
        points.append(CurvePoint(n_fits=index + 1, mean=found.mean, low=found.low, high=found.high))
    return tuple(points)


def _searched(line: ReplicateLine, arm: str) -> float:
    return line.arms[arm].won.validation or 0.0


def _confirmed(line: ReplicateLine, arm: str) -> float:
    return fmean(score or 0.0 for score in line.arms[arm].won.confirmation)


def _mean_over_samples(lines: Lines, value: Callable[[ReplicateLine], float]) -> float:
    return fmean(map(fmean, by_sample(lines, value).values()))
