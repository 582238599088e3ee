"""Param importance: which addresses' rates decide the score, with confidence intervals, and in which direction.

A single importance value misleads: the trees of a forest are random, and TPE's trials are not uniform over the space.
So each importance is a mean with an interval over bootstrap resamples of the trials, each with a new forest seed. The
rank correlation of rate and score gives the direction.
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

from finetune_alf.documents import Estimate
from finetune_alf.errors import InputError
from finetune_alf.rates import LayerRates
from finetune_alf.seeds import child_seed
from finetune_alf.study.documents import LayerImportance, RankCorrelation
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.sampler import Observation, in_memory_study, observations_of
from finetune_alf.study.space import PARAM_PREFIX, AnySpace, LogSpace

MIN_TRIALS = 8
"""A forest cannot split fewer trials."""

PERCENTILES = (2.5, 97.5)

# Named explicitly: Optuna's default evaluator changed from fANOVA to PED-ANOVA in version 5.
EVALUATORS: Mapping[str, Callable[[int, int], BaseImportanceEvaluator]] = {  # (forest seed, number of trials)
    "fanova": lambda seed, n: FanovaImportanceEvaluator(seed=seed),
    "mdi": lambda seed, n: MeanDecreaseImpurityImportanceEvaluator(seed=seed),
    # Optuna recommends 5 trials or more above the quantile.
    "ped_anova": lambda seed, n: PedAnovaImportanceEvaluator(target_quantile=max(0.1, 5 / n)),
}


def layer_importance(
    study: str,
    records: Sequence[TrialRecord],
    space: AnySpace,
    *,
    seed: int,
    n_resamples: int = 30,
) -> LayerImportance:
    """Estimate the importance of each address; a block of tied addresses is listed under its lowest one.

    Uses the complete trials whose rates lie in the space. Raises InputError for fewer than 8 of them, or when all
    scores are equal.
    """
    observations = observations_of(records, space)
    if len(observations) < MIN_TRIALS:
        raise InputError(
            f"studies.{study}: must have {MIN_TRIALS} complete trials or more within its space for their importance, "
            f"but got {len(observations)}. Raise n_trials."
        )
    if len({observed.score for observed in observations}) == 1:
        raise InputError(
            f"studies.{study}: must have scores that differ for their importance, but got {observations[0].score:g} "
            f"from all {len(observations)} trials. Check whether the fits learn, and how many texts score them."
        )
    param_addresses = space.param_addresses(LayerRates(records[0].rates).n_layers)
    names = list(param_addresses)
    resamples = [_resample(observations, child_seed(seed, "resample", index)) for index in range(n_resamples)]
    return LayerImportance(
        study=study,
        n_trials=len(observations),
        n_resamples=n_resamples,
        evaluators={evaluator: _importance(evaluator, resamples, space, names, seed) for evaluator in EVALUATORS},
        direction={_address(name): _rank_correlation(name, observations, resamples) for name in names},
        blocks={_address(name): tuple(tied) for name, tied in param_addresses.items() if len(tied) > 1},
    )


def _resample(observations: Sequence[Observation], seed: int) -> list[Observation]:
    """Draw a bootstrap resample, again while all its scores are equal, which no forest can split."""
    rng = np.random.default_rng(seed)
    while True:
        drawn = [observations[index] for index in rng.integers(len(observations), size=len(observations))]
        if len({observed.score for observed in drawn}) > 1:
            return drawn


def _importance(
    evaluator: str, resamples: Sequence[Sequence[Observation]], space: AnySpace, names: list[str], seed: int
) -> dict[str, Estimate]:
    rows = []
    for index, resample in enumerate(resamples):
        seeded = EVALUATORS[evaluator](child_seed(seed, evaluator, "forest", index), len(resample))
        with warnings.catch_warnings():  # PED-ANOVA gives equal importances when nearly all scores are equal
            warnings.filterwarnings("ignore", message="Target and region quantiles select the same set")
            by_name = optuna.importance.get_param_importances(_study_of(resample, space, names), evaluator=seeded)
        rows.append([by_name[name] for name in names])
    importances = np.asarray(rows)  # (n_resamples, n_params)
    lows, highs = np.percentile(importances, PERCENTILES, axis=0)
    return {
        _address(name): Estimate(mean=float(mean), low=float(low), high=float(high))
        for name, mean, low, high in zip(names, importances.mean(axis=0), lows, highs, strict=True)
    }


def _study_of(observations: Sequence[Observation], space: AnySpace, names: list[str]) -> optuna.Study:
    """Return an Optuna study of these trials, with the logarithm of log-uniform rates as params.

    Optuna's forests measure variance evenly over a param's range.
    """
    is_log = isinstance(space, LogSpace)
    distribution: BaseDistribution = (
        FloatDistribution(math.log10(space.low), math.log10(space.high))
        if isinstance(space, LogSpace)
        else CategoricalDistribution(space.rates)
    )
    study = in_memory_study()
    study.add_trials(
        optuna.create_trial(
            params={name: math.log10(observed.params[name]) if is_log else observed.params[name] for name in names},
            distributions=dict.fromkeys(names, distribution),
            value=observed.score,
        )
        for observed in observations
    )
    return study


def _rank_correlation(
    name: str, observations: Sequence[Observation], resamples: Sequence[Sequence[Observation]]
) -> RankCorrelation:
    resampled = [rho for resample in resamples if (rho := _spearman(name, resample)) is not None]
    if not resampled:
        return RankCorrelation(rho=None, low=None, high=None)
    low, high = np.percentile(resampled, PERCENTILES)
    return RankCorrelation(rho=_spearman(name, observations), low=float(low), high=float(high))


def _spearman(name: str, observations: Sequence[Observation]) -> float | None:
    """Return Spearman's rho, with the mean rank for ties; None if the rate is constant."""
    rates = rankdata([observed.params[name] for observed in observations])
    scores = rankdata([observed.score for observed in observations])
    return float(np.corrcoef(rates, scores)[0, 1]) if np.ptp(rates) > 0 else None


def _address(param: str) -> str:
    return param.removeprefix(PARAM_PREFIX)
