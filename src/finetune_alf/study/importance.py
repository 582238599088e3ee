"""Which addresses' rates decide the score, how surely, and in which direction.

An evaluator's single number misleads: forests vary, and TPE's trials are skewed. So each importance is a mean with an
interval over bootstrap resamples of the trials, each with a forest seed of its own, and stands beside the rank
correlation of the rate with the score.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    MeanDecreaseImpurityImportanceEvaluator,
    PedAnovaImportanceEvaluator,
)
from scipy.stats import rankdata

from finetune_alf.errors import InputError
from finetune_alf.rates import LayerRates
from finetune_alf.seeds import child_seed
from finetune_alf.spec import Spec
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.sampler import Tried, memory_study
from finetune_alf.study.space import PREFIX, AnySpace, LogSpace

MIN_TRIALS = 8
"""Fewer leave a forest nothing to split."""

PERCENTILES = (2.5, 97.5)

# Named one by one: Optuna's own default changed from fANOVA to PED-ANOVA in version 5.
EVALUATORS: Mapping[str, Callable[[int, int], BaseImportanceEvaluator]] = {  # of a forest seed and a number of trials
    "fanova": lambda seed, n: FanovaImportanceEvaluator(seed=seed),
    "mdi": lambda seed, n: MeanDecreaseImpurityImportanceEvaluator(seed=seed),
    # Its own documentation asks for 5 trials or more above the quantile.
    "ped_anova": lambda seed, n: PedAnovaImportanceEvaluator(target_quantile=max(0.1, 5 / n)),
}


class Estimate(Spec):
    """A share of the importance in [0, 1]: mean and 95 % interval over the resamples."""

    mean: float
    low: float
    high: float


class Direction(Spec):
    """Spearman's rank correlation of a rate with the score; None for a rate that never changed."""

    rho: float | None
    low: float | None
    high: float | None


class LayerImportance(Spec):
    """What a study says about each address. `blocks` holds, by its first address, what else a tied rate moves."""

    study: str
    n_trials: int
    n_resamples: int
    evaluators: dict[str, dict[str, Estimate]]
    direction: dict[str, Direction]
    blocks: dict[str, tuple[str, ...]]


def layer_importance(
    study: str,
    records: Sequence[TrialRecord],
    space: AnySpace,
    *,
    seed: int,
    n_resamples: int = 30,
) -> LayerImportance:
    """Estimate the importance of each address, or of each tied block at its first address.

    Counts the complete trials that lie in the space: an enqueued vector off its grid says nothing about it.
    Raises InputError for fewer than 8 of them, or scores that are all the same.
    """
    tried = _tried(records, space)
    if len(tried) < MIN_TRIALS:
        raise InputError(
            f"studies.{study}: must have {MIN_TRIALS} complete trials or more within its space for their importance, "
            f"but got {len(tried)}. Raise n_trials."
        )
    if len({trial.score for trial in tried}) == 1:
        raise InputError(
            f"studies.{study}: must have scores that differ for their importance, but got {tried[0].score:g} "
            f"from all {len(tried)} trials. Look at whether the fits learn, and at how many texts score them."
        )
    parameters = space.parameters(LayerRates(records[0].rates).n_layers)
    resamples = [_resample(tried, child_seed(seed, "resample", index)) for index in range(n_resamples)]
    return LayerImportance(
        study=study,
        n_trials=len(tried),
        n_resamples=n_resamples,
        evaluators={name: _importance(name, resamples, space, list(parameters), seed) for name in EVALUATORS},
        direction={_address(name): _direction(name, tried, resamples) for name in parameters},
        blocks={_address(name): tuple(tied) for name, tied in parameters.items() if len(tied) > 1},
    )


def _tried(records: Sequence[TrialRecord], space: AnySpace) -> list[Tried]:
    by_params = [(space.params_of(LayerRates(record.rates)), record.score) for record in records]
    return [Tried(params, score) for params, score in by_params if params is not None and score is not None]


def _resample(tried: Sequence[Tried], seed: int) -> list[Tried]:
    """Draw as many trials with replacement; again if they all have one score, which no forest can split."""
    rng = np.random.default_rng(seed)
    while True:
        drawn = [tried[index] for index in rng.integers(len(tried), size=len(tried))]
        if len({trial.score for trial in drawn}) > 1:
            return drawn


def _importance(
    evaluator: str, resamples: Sequence[Sequence[Tried]], space: AnySpace, names: list[str], seed: int
) -> dict[str, Estimate]:
    shares = []
    for index, tried in enumerate(resamples):
        made = EVALUATORS[evaluator](child_seed(seed, evaluator, "forest", index), len(tried))
        with warnings.catch_warnings():  # of scores so alike that PED-ANOVA gives equal shares: so be it
            warnings.filterwarnings("ignore", message="Target and region quantiles select the same set")
            by_name = optuna.importance.get_param_importances(_memory(tried, space, names), evaluator=made)
        shares.append([by_name[name] for name in names])
    columns = np.asarray(shares)  # (n_resamples, n_parameters)
    lows, highs = np.percentile(columns, PERCENTILES, axis=0)
    return {
        _address(name): Estimate(mean=float(mean), low=float(low), high=float(high))
        for name, mean, low, high in zip(names, columns.mean(axis=0), lows, highs, strict=True)
    }


def _memory(tried: Sequence[Tried], space: AnySpace, names: list[str]) -> optuna.Study:
    """Put trials into a study in memory; log rates as their logarithm, over which Optuna's forests measure evenly."""
    is_log = isinstance(space, LogSpace)
    distribution: BaseDistribution = (
        FloatDistribution(math.log10(space.low), math.log10(space.high))
        if isinstance(space, LogSpace)
        else CategoricalDistribution(space.rates)
    )
    memory = memory_study()
    memory.add_trials(
        optuna.create_trial(
            params={name: math.log10(trial.params[name]) if is_log else trial.params[name] for name in names},
            distributions=dict.fromkeys(names, distribution),
            value=trial.score,
        )
        for trial in tried
    )
    return memory


def _direction(name: str, tried: Sequence[Tried], resamples: Sequence[Sequence[Tried]]) -> Direction:
    drawn = [rho for resample in resamples if (rho := _spearman(name, resample)) is not None]
    if not drawn:
        return Direction(rho=None, low=None, high=None)
    low, high = np.percentile(drawn, PERCENTILES)
    return Direction(rho=_spearman(name, tried), low=float(low), high=float(high))


def _spearman(name: str, tried: Sequence[Tried]) -> float | None:
    """Return Spearman's rho, ties at their mean rank; None for a rate that never changes."""
    rates = rankdata([trial.params[name] for trial in tried])
    scores = rankdata([trial.score for trial in tried])
    return float(np.corrcoef(rates, scores)[0, 1]) if np.ptp(rates) > 0 else None


def _address(parameter: str) -> str:
    return parameter.removeprefix(PREFIX)
