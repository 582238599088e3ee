"""Param importance: which addresses' rates decide the score, how firmly, and how much of it is chance.

A single importance value misleads: the trees of a forest are random, and so are the trials. So shares are computed over
many subsamples, each of half of the trials, drawn without replacement (Politis & Romano 1994). Between halves a share
varies as much as between studies of this size, to first order (Shao & Wu 1989), and no trial is counted twice, which
would let a forest learn it by heart. Beside them are the shares with shuffled scores, where no address matters. Of a
long study a subsample is less than half, so that the time does not grow with it: shares vary more between subsamples
then, and the means over them are of all trials.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    MeanDecreaseImpurityImportanceEvaluator,
    PedAnovaImportanceEvaluator,
)

from finetune_alf.seeds import child_seed
from finetune_alf.study.direction import directions
from finetune_alf.study.documents import ImportanceShare, LayerImportance
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.sampler import Observation, in_memory_study, observations_of
from finetune_alf.study.space import PARAM_PREFIX, AnySpace
from finetune_alf.study.spec import AnySampler

MIN_TRIALS = 8
"""A forest cannot split the half of fewer trials."""

MAX_PER_SUBSAMPLE = 250
"""The most trials of a subsample, half of those of a study of 500. Forests take as many times longer for more."""

N_TREES, MAX_DEPTH = 16, 8
"""The size of a forest; Optuna's 64 trees of any depth take many times as long, and their shares hardly differ.

`benchmarks/importance.py` compares them.
"""

PERCENTILES = (2.5, 97.5)
SHUFFLED_PERCENTILE = 95

# Named explicitly: Optuna's default evaluator changed from fANOVA to PED-ANOVA in version 5.
EVALUATORS: Mapping[str, Callable[[int, int], BaseImportanceEvaluator]] = {  # (forest seed, number of trials)
    "fanova": lambda seed, n: FanovaImportanceEvaluator(n_trees=N_TREES, max_depth=MAX_DEPTH, seed=seed),
    "mdi": lambda seed, n: MeanDecreaseImpurityImportanceEvaluator(n_trees=N_TREES, max_depth=MAX_DEPTH, seed=seed),
    # Optuna recommends 5 trials or more above the quantile.
    "ped_anova": lambda seed, n: PedAnovaImportanceEvaluator(target_quantile=min(0.5, max(0.1, 5 / n))),
}

Array = NDArray[np.float64]


def n_per_subsample(n_trials: int) -> int:
    """Return how many of a study's trials a subsample has."""
    return min(n_trials // 2, MAX_PER_SUBSAMPLE)


@dataclass(frozen=True)
class PlacedTrials:
    """Trials as a forest sees them: `positions` (n_trials, n_params) on the space's scale, and scores."""

    positions: Array
    scores: Array

    def subsample(self, rng: np.random.Generator) -> "PlacedTrials":
        """Draw trials, again while all their scores are equal, which no forest can split."""
        while True:
            drawn = rng.permutation(len(self.scores))[: n_per_subsample(len(self.scores))]
            if np.ptp(self.scores[drawn]) > 0:
                return PlacedTrials(self.positions[drawn], self.scores[drawn])

    def shuffled(self, rng: np.random.Generator) -> "PlacedTrials":
        """Return the trials with each other's scores."""
        return PlacedTrials(self.positions, rng.permutation(self.scores))


def layer_importance(
    study: str,
    records: Sequence[TrialRecord],
    space: AnySpace,
    sampler: AnySampler,
    *,
    seed: int,
    n_enqueued: int = 0,
    n_resamples: int = 100,
    on_resample: Callable[[], None] = lambda: None,
) -> LayerImportance:
    """Estimate the importance of each address; a block of tied addresses is listed under its lowest one.

    Uses the complete trials whose rates lie in the space, without repeats, whose scores are those of earlier trials.
    Directions are over those that the sampler drew, without the `n_enqueued` first ones. With fewer than 8 trials, or
    when all scores are equal, the document has the reason and nothing else. `on_resample` is called after each
    subsample.
    """
    fitted = [record for record in records if record.repeats is None]
    observations = observations_of(fitted, space)
    if reason := _no_importance(observations):
        return LayerImportance(study=study, n_trials=len(observations), reason=reason)
    param_addresses = space.param_addresses(records[0].rates.n_layers)
    names = list(param_addresses)
    drawn = observations_of([record for record in fitted if record.number >= n_enqueued], space)
    return LayerImportance(
        study=study,
        n_trials=len(observations),
        n_resamples=n_resamples,
        n_per_resample=n_per_subsample(len(observations)),
        n_trees=N_TREES,
        max_depth=MAX_DEPTH,
        evaluators=_importance(observations, space, names, seed, n_resamples, on_resample),
        n_tested=len(drawn),
        direction={
            _address(name): direction
            for name, direction in directions(drawn, names, sampler, seed, len(records)).items()
        },
        blocks={
            _address(name): tuple(tied)
            for name, tied in param_addresses.items()
            if len(tied) > 1 and _address(name) in tied
        },
    )


def _no_importance(observations: Sequence[Observation]) -> str | None:
    n_trials = len(observations)
    if n_trials < MIN_TRIALS:
        return f"it takes {MIN_TRIALS} complete and different trials within the space, and there are {n_trials}"
    if len({observed.score for observed in observations}) == 1:
        return f"all {n_trials} trials have the same score, {observations[0].score:g}"
    return None


def _importance(
    observations: Sequence[Observation],
    space: AnySpace,
    names: list[str],
    seed: int,
    n_resamples: int,
    on_resample: Callable[[], None],
) -> dict[str, dict[str, ImportanceShare]]:
    trials = PlacedTrials(
        np.array([[space.position_of(name, observed.params[name]) for name in names] for observed in observations]),
        np.array([observed.score for observed in observations]),
    )
    resampled = []
    for index in range(n_resamples):
        resampled.append(resampled_shares(trials, space, names, seed=seed, index=index))
        on_resample()
    return {
        evaluator: _summaries(
            names,
            np.array([shares[evaluator] for shares, _ in resampled]),
            np.array([shuffled[evaluator] for _, shuffled in resampled]),
        )
        for evaluator in EVALUATORS
    }


def resampled_shares(
    trials: PlacedTrials, space: AnySpace, names: list[str], *, seed: int, index: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return each evaluator's share of each param in the subsample of this index, as it is and with shuffled scores."""
    rng = np.random.default_rng(child_seed(seed, "resample", index))
    drawn = trials.subsample(rng)
    shuffled = drawn.shuffled(rng)
    scale = FloatDistribution(*space.position_range)
    shares, shuffled_shares = {}, {}
    for name, evaluator in EVALUATORS.items():
        forest_seed = child_seed(seed, name, "forest", index)
        shares[name] = _shares(evaluator(forest_seed, len(drawn.scores)), drawn, scale, names)
        shuffled_shares[name] = _shares(evaluator(forest_seed, len(drawn.scores)), shuffled, scale, names)
    return shares, shuffled_shares


def _shares(
    evaluator: BaseImportanceEvaluator, trials: PlacedTrials, scale: FloatDistribution, names: list[str]
) -> Array:
    """Return the share of each param.

    Params are positions on the space's scale: forests measure variance evenly over a param's range. Rates of a grid
    would be as many unordered categories to Optuna, of which a forest needs several times the trials.
    """
    study = in_memory_study()
    study.add_trials(
        optuna.create_trial(
            params=dict(zip(names, map(float, row), strict=True)),
            distributions=dict.fromkeys(names, scale),
            value=float(score),
        )
        for row, score in zip(trials.positions, trials.scores, strict=True)
    )
    with warnings.catch_warnings():  # PED-ANOVA gives equal importances when nearly all scores are equal
        warnings.filterwarnings("ignore", message="Target and region quantiles select the same set")
        by_name = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return np.array([by_name[name] for name in names])


def _summaries(names: list[str], shares: Array, shuffled: Array) -> dict[str, ImportanceShare]:
    """Return what the subsamples say of each param; both arrays are (n_resamples, n_params)."""
    lows, highs = np.percentile(shares, PERCENTILES, axis=0)
    shuffled_highs = np.percentile(shuffled, SHUFFLED_PERCENTILE, axis=0)
    is_largest = shares == shares.max(axis=1, keepdims=True)
    is_first = is_largest & (is_largest.sum(axis=1, keepdims=True) == 1)
    return {
        _address(name): ImportanceShare(
            mean=float(shares[:, column].mean()),
            low=float(lows[column]),
            high=float(highs[column]),
            n_first=int(is_first[:, column].sum()),
            shuffled_mean=float(shuffled[:, column].mean()),
            shuffled_high=float(shuffled_highs[column]),
        )
        for column, name in enumerate(names)
    }


def _address(param: str) -> str:
    return param.removeprefix(PARAM_PREFIX)
