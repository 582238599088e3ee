"""Suggest the params of the next trial, as a pure function of the finished trials.

An Optuna sampler has a random state that is lost when the process is killed. So every trial gets a new sampler, seeded
by (seed, trial number), and a resumed study continues as if it had not been interrupted. The observations lie in one
in-memory study, to which each proposal adds those that are new: to copy them all takes most of the time of a proposal.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna

from finetune_alf.seeds import child_seed
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.space import AnySpace
from finetune_alf.study.spec import AnySampler, QmcSampler, RandomSampler, TpeSampler
from finetune_alf.train.result import EpochMetrics


@dataclass(frozen=True, slots=True)
class Observation:
    """The params and the score of a complete trial."""

    params: dict[str, float]
    score: float


@dataclass(frozen=True, slots=True)
class PrunedObservation:
    """The params of a pruned trial, and its scores by the number of completed epochs: Optuna's intermediate values."""

    params: dict[str, float]
    intermediate_values: dict[int, float]


AnyObservation = Observation | PrunedObservation


def observations_of(records: Sequence[TrialRecord], space: AnySpace) -> list[Observation]:
    """Return the complete trials whose rates lie in the search space, in the order given."""
    by_params = [(space.params_of(record.rates), record.score) for record in records]
    return [Observation(params, score) for params, score in by_params if params is not None and score is not None]


def observation_of(record: TrialRecord, space: AnySpace) -> AnyObservation | None:
    """Return what a sampler sees of a finished trial: None for a failed one, and for rates outside the space.

    Without pruned trials TPE would look for good rates among those that a pruner let through alone.
    """
    params = space.params_of(record.rates)
    if params is None:
        return None
    if record.score is not None:
        return Observation(params, record.score)
    if record.state == "pruned" and record.result is not None:
        return PrunedObservation(params, intermediate_values(record.result.epochs))
    return None


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
    return StudySampler(sampler, space, n_layers, seed).suggest(number, observations)


class StudySampler:
    """An Optuna sampler with the observations of a study."""

    def __init__(self, spec: AnySampler, space: AnySpace, n_layers: int, seed: int) -> None:
        self._spec, self._space, self._n_layers, self._seed = spec, space, n_layers, seed
        self._distributions = space.distributions(n_layers)
        self._study = in_memory_study(storage=_SharingStorage(self._distributions))
        self._observed: list[AnyObservation] = []

    def suggest(self, number: int, observations: Sequence[AnyObservation]) -> dict[str, float]:
        """Return the params of trial `number`, whatever was suggested before.

        `observations` are in the order of their trials' numbers. Only those are copied that follow the ones of the last
        call; if these are not the first ones of `observations`, all are.
        """
        seed = child_seed(self._seed, "proposal", number)
        match self._spec:
            case TpeSampler(n_startup_trials=n_startup_trials):
                self._observe(observations)
                self._study.sampler = optuna.samplers.TPESampler(
                    seed=seed, n_startup_trials=n_startup_trials, multivariate=False, constant_liar=False
                )
                # The new trial stays RUNNING in the in-memory study, where TPE without a constant liar ignores it.
                return dict(self._study.ask(self._distributions).params)
            case RandomSampler():
                study = in_memory_study(optuna.samplers.RandomSampler(seed=seed))
                return dict(study.ask(self._distributions).params)
            case QmcSampler():
                return _sobol_point(self._space, self._n_layers, self._seed, number)

    def _observe(self, observations: Sequence[AnyObservation]) -> None:
        n_observed = len(self._observed)
        if self._observed != list(observations[:n_observed]):
            self._study = in_memory_study(storage=_SharingStorage(self._distributions))
            self._observed, n_observed = [], 0
        self._study.add_trials(_optuna_trial(new, self._distributions) for new in observations[n_observed:])
        self._observed = list(observations)


class _SharingStorage(optuna.storages.InMemoryStorage):
    """An in-memory storage of one study whose trials share their distributions, and keep the params as given.

    Optuna copies both for each trial: most of the time that it takes to add one, and of the memory that it needs.
    """

    def __init__(self, distributions: dict[str, optuna.distributions.BaseDistribution]) -> None:
        super().__init__()
        self._distributions = distributions
        self._newest: int | None = None

    def create_new_trial(self, study_id: int, template_trial: optuna.trial.FrozenTrial | None = None) -> int:
        """Add a finished trial, or without a template a new one; the new one before it is done with, and emptied."""
        if template_trial is None:
            if self._newest is not None:
                self._share(self._newest, {}, {})
            self._newest = super().create_new_trial(study_id)
            return self._newest
        bare = copy.copy(template_trial)
        bare.params, bare.distributions = {}, {}
        trial_id = super().create_new_trial(study_id, bare)
        self._share(trial_id, template_trial.params, self._distributions)
        return trial_id

    def _share(
        self, trial_id: int, params: dict[str, Any], distributions: dict[str, optuna.distributions.BaseDistribution]
    ) -> None:
        trial = self.get_trial(trial_id)
        trial.params, trial.distributions = params, distributions


def in_memory_study(
    sampler: optuna.samplers.BaseSampler | None = None, storage: optuna.storages.InMemoryStorage | None = None
) -> optuna.Study:
    """Return an empty in-memory Optuna study that maximizes."""
    silence_optuna()
    return optuna.create_study(
        storage=storage, sampler=sampler or optuna.samplers.RandomSampler(), direction="maximize"
    )


def silence_optuna() -> None:
    """Keep Optuna from logging each new study and trial: only its warnings are logged from now on."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _optuna_trial(
    observed: AnyObservation, distributions: dict[str, optuna.distributions.BaseDistribution]
) -> optuna.trial.FrozenTrial:
    if isinstance(observed, Observation):
        return optuna.create_trial(params=observed.params, distributions=distributions, value=observed.score)
    return optuna.create_trial(
        state=optuna.trial.TrialState.PRUNED,
        params=observed.params,
        distributions=distributions,
        intermediate_values=observed.intermediate_values,
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
