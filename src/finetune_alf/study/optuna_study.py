"""A study's trials as an Optuna study in memory, for Optuna's own plots. What is done to it reaches no database."""

import datetime
import warnings
from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from finetune_alf.study.records import TrialRecord
from finetune_alf.study.sampler import in_memory_study, intermediate_values
from finetune_alf.study.space import AnySpace

STATES: Mapping[str, TrialState] = {
    "complete": TrialState.COMPLETE,
    "failed": TrialState.FAIL,
    "pruned": TrialState.PRUNED,
}
"""Optuna's states by our own."""


def optuna_study(records: Sequence[TrialRecord], space: AnySpace, n_layers: int, metric: str) -> optuna.Study:
    """Return a study that maximises `metric`, with params, intermediate values and times of the finished trials.

    A trial whose rates lie outside the space, such as an enqueued baseline, has no params.
    """
    study = in_memory_study()
    name_metric(study, metric)
    distributions = space.distributions(n_layers)
    study.add_trials(_frozen(record, space, distributions) for record in records)
    return study


def name_metric(study: optuna.Study, metric: str) -> None:
    """Name the value that a study maximises, as plots and the dashboard show it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([metric])


def _frozen(record: TrialRecord, space: AnySpace, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial:
    params = space.params_of(record.rates) or {}
    rates = {str(address): rate for address, rate in record.rates.items()}
    return FrozenTrial(
        number=record.number,
        trial_id=record.number,
        state=STATES[record.state],
        value=record.score,
        params=params,
        distributions={name: distributions[name] for name in params},
        intermediate_values=intermediate_values(record.result.epochs) if record.result else {},
        user_attrs={"rates": rates, **({"reason": record.reason} if record.reason else {})},
        system_attrs={},
        datetime_start=_time(record.started_ms),
        datetime_complete=_time(record.ended_ms),
    )


def _time(milliseconds: int) -> datetime.datetime:
    """Return a time as Optuna has it: local, without a zone."""
    return datetime.datetime.fromtimestamp(milliseconds / 1000)
