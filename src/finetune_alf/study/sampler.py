"""Suggest the params of the next trial, as a pure function of the finished trials.

An Optuna sampler has a random state that is lost when the process is killed. So every trial gets a new sampler, seeded
by (seed, trial number), and a resumed study continues as if it had not been interrupted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna

from finetune_alf.seeds import child_seed
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.space import AnySpace
from finetune_alf.study.spec import AnySampler, QmcSampler, RandomSampler, TpeSampler
from finetune_alf.train.result import EpochMetrics


@dataclass(frozen=True)
class Observation:
    """The params and the score of a complete trial."""

    params: Mapping[str, float]
    score: float


@dataclass(frozen=True)
class PrunedObservation:
    """The params of a pruned trial, and its scores by the number of completed epochs: Optuna's intermediate values."""

    params: Mapping[str, float]
    intermediate_values: Mapping[int, float]


AnyObservation = Observation | PrunedObservation


def observations_of(records: Sequence[TrialRecord], space: AnySpace) -> list[Observation]:
    """Return the complete trials whose rates lie in the search space, in the order given."""
    by_params = [(space.params_of(record.rates), record.score) for record in records]
    return [Observation(params, score) for params, score in by_params if params is not None and score is not None]


def sampler_observations(records: Sequence[TrialRecord], space: AnySpace) -> list[AnyObservation]:
    """Return what a sampler sees of finished trials: the complete and the pruned ones, in the order given.

    Without the pruned ones TPE would look for good rates among those that a pruner let through alone.
    """
    observations: list[AnyObservation] = []
    for record in records:
        params = space.params_of(record.rates)
        if params is None:
            continue
        if record.score is not None:
            observations.append(Observation(params, record.score))
        elif record.state == "pruned" and record.result is not None:
            observations.append(PrunedObservation(params, intermediate_values(record.result.epochs)))
    return observations


def intermediate_values(epochs: Iterable[EpochMetrics]) -> dict[int, float]:
    """Return the scores of the epochs that have one, by the number of completed epochs."""
    return {epoch.epoch + 1: epoch.validation_score for epoch in epochs if epoch.validation_score is not None}


def suggest(
    sampler: AnySampler,
    space: AnySpace,
    n_layers: int,
    observations: Sequence[AnyObservation],
    seed: int,
    number: int,
) -> dict[str, float]:
    """Return the params of trial `number`; `observations` are in the order of their trials' numbers."""
    sampler_seed = child_seed(seed, "proposal", number)
    match sampler:
        case TpeSampler():
            tpe = optuna.samplers.TPESampler(
                seed=sampler_seed, n_startup_trials=sampler.n_startup_trials, multivariate=False, constant_liar=False
            )
            return _ask(tpe, space, n_layers, observations)
        case RandomSampler():
            return _ask(optuna.samplers.RandomSampler(seed=sampler_seed), space, n_layers, ())
        case QmcSampler():
            return _sobol_point(space, n_layers, seed, number)


def in_memory_study(
    sampler: optuna.samplers.BaseSampler | None = None, pruner: optuna.pruners.BasePruner | None = None
) -> optuna.Study:
    """Return an empty in-memory Optuna study that maximizes."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # Optuna logs every new study, and there is one per trial
    return optuna.create_study(
        storage=None, sampler=sampler or optuna.samplers.RandomSampler(), pruner=pruner, direction="maximize"
    )


def _ask(
    sampler: optuna.samplers.BaseSampler, space: AnySpace, n_layers: int, observations: Sequence[AnyObservation]
) -> dict[str, float]:
    distributions = space.distributions(n_layers)
    study = in_memory_study(sampler=sampler)
    study.add_trials(_optuna_trial(observed, distributions) for observed in observations)
    return dict(study.ask(distributions).params)


def _optuna_trial(
    observed: AnyObservation, distributions: Mapping[str, optuna.distributions.BaseDistribution]
) -> optuna.trial.FrozenTrial:
    params = dict(observed.params)
    if isinstance(observed, Observation):
        return optuna.create_trial(params=params, distributions=dict(distributions), value=observed.score)
    return optuna.create_trial(
        state=optuna.trial.TrialState.PRUNED,
        params=params,
        distributions=dict(distributions),
        intermediate_values=dict(observed.intermediate_values),
    )


def _sobol_point(space: AnySpace, n_layers: int, seed: int, number: int) -> dict[str, float]:
    from scipy.stats import qmc

    names = list(space.param_addresses(n_layers))
    # All trials share one scrambling: their points belong to the same sequence.
    engine = qmc.Sobol(len(names), scramble=True, rng=np.random.default_rng(child_seed(seed, "qmc")))
    if number:  # SciPy refuses fast_forward(0)
        engine.fast_forward(number)
    units = engine.random(1)[0]
    return {name: space.value_at(name, float(unit)) for name, unit in zip(names, units, strict=True)}
