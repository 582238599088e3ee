"""A fit as a run of MLflow: rates as params, metrics by epoch, the schedule as an artifact.

MLflow's charts of metrics are grouped by what stands before the slash.
"""

import json
import math
from collections.abc import Iterable, Mapping

from finetune_alf.checksums import canonical_json
from finetune_alf.compute import Environment
from finetune_alf.rates import Address
from finetune_alf.recipe import AnyRecipe
from finetune_alf.running.parent_run import commit_tag
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.study.records import TrialRecord
from finetune_alf.tracking.record import Dataset, EpochRecord, Metric, RunRecord
from finetune_alf.train.result import EpochMetrics, FitResult

_LOGGED_FIELDS = ("batch", "epochs", "max_tokens", "keep", "kind", "pooling", "longest_ngram", "n_folds")
"""The fields of a recipe that are params of its run, for each kind of recipe those that it has."""

FROZEN_LOG10 = -10.0
"""Where a rate of 0, which has no logarithm, stands among the others; lower rates stand there too."""

_LOGGED_IF_SET = ("class_weights", "class_sampling", "truncation")
"""More of them, where they do not have their default."""


def fit_run(
    key: str,
    name: str,
    recipe: AnyRecipe,
    n_layers: int,
    result: FitResult,
    environment: Environment,
    *,
    scores: Mapping[str, float | None],
    tags: Mapping[str, str],
    schedule: Schedule | None = None,
) -> RunRecord:
    """Return the run of one fit. `scores` are final ones by name, such as `test.accuracy`; None where it diverged.

    Its artifact is the schedule, or without one the recipe.
    """
    ended_ms = result.started_ms + round(result.seconds * 1000)
    finals = {
        **{f"score/{name}": score for name, score in scores.items()},
        "cost/seconds": result.seconds,
        "cost/n_trainable_parameters": float(result.n_trainable_parameters),
        **{f"movement/{address}": moved for address, moved in (result.movement or {}).items()},
    }
    return RunRecord(
        key=key,
        name=name,
        started_ms=result.started_ms,
        ended_ms=ended_ms,
        status="FAILED" if result.stopped == "diverged" else "FINISHED",
        params=_params(recipe, n_layers, environment),
        metrics=(
            *(metric for record in result.epochs for metric in epoch_metrics(record)),
            *(Metric(name, value, 0, ended_ms) for name, value in finals.items() if value is not None),
        ),
        tags={**tags, **commit_tag(environment.git_commit), "alf.stopped": result.stopped},
        artifacts={"schedule.json": schedule.to_json().encode()}
        if schedule
        else {"recipe.json": canonical_json(recipe.model_dump(mode="json")).encode()},
        datasets=datasets_of(tags),
    )


def trial_name(number: int) -> str:
    """Return the name of a trial's run."""
    return f"trial {number}"


def trial_run(
    key: str, schedule: Schedule | None, record: TrialRecord, *, metric: str, tags: Mapping[str, str]
) -> RunRecord:
    """Return the run of one trial; one that failed without a result has no schedule, but its rates and the reason."""
    name, n_layers = trial_name(record.number), record.rates.n_layers
    tags = {**tags, "alf.trial": str(record.number), "alf.state": record.state}
    if record.repeats is not None:
        tags["alf.repeats"] = str(record.repeats)
    if schedule is not None and record.result is not None:
        scores = {f"validation.{metric}": record.result.score}
        recipe, result, environment = schedule.recipe, record.result, record.environment
        return fit_run(key, name, recipe, n_layers, result, environment, scores=scores, tags=tags, schedule=schedule)
    return RunRecord(
        key=key,
        name=name,
        started_ms=record.started_ms,
        ended_ms=record.ended_ms,
        status="FAILED",
        params=_rate_params(record.rates),
        tags={**tags, **commit_tag(record.environment.git_commit), "alf.reason": record.reason or ""},
        datasets=datasets_of(tags),
    )


def _params(recipe: AnyRecipe, n_layers: int, environment: Environment) -> dict[str, str]:
    rates = _rate_params(recipe.rates_at(n_layers))
    fields = {name: str(getattr(recipe, name)) for name in _LOGGED_FIELDS if hasattr(recipe, name)}
    defaults = {name: field.default for name, field in type(recipe).model_fields.items()}
    others = {name: getattr(recipe, name) for name in _LOGGED_IF_SET if name in defaults}
    fields |= {name: str(value) for name, value in others.items() if value != defaults[name]}
    return {**rates, **fields, "precision": environment.precision, "device": environment.device}


def epoch_of_fit(
    key: str,
    name: str,
    recipe: AnyRecipe,
    n_layers: int,
    environment: Environment,
    epoch: EpochMetrics,
    tags: Mapping[str, str],
) -> EpochRecord:
    """Return an epoch of a fit that goes on, for the run that `fit_run` completes."""
    return EpochRecord(
        key=key,
        name=name,
        started_ms=epoch.ended_ms - round(epoch.seconds * 1000),
        epoch=epoch.epoch,
        metrics=tuple(epoch_metrics(epoch)),
        params=_params(recipe, n_layers, environment),
        tags={**tags, **commit_tag(environment.git_commit)},
    )


def datasets_of(tags: Mapping[str, str]) -> tuple[Dataset, ...]:
    """Return the sample that the tags of a run name."""
    name, digest = tags.get("alf.sample"), tags.get("alf.sample.digest")
    return (Dataset(name, digest, json.dumps({"sample": name, "digest": digest})),) if name and digest else ()


def _rate_params(rates: Mapping[Address, float]) -> dict[str, str]:
    """Return the rates, and their logarithms, on which the axes of parallel coordinates are readable."""
    as_logs = {address: math.log10(rate) if rate > 0 else FROZEN_LOG10 for address, rate in rates.items()}
    return {
        **{f"rates.{address}": f"{rate:g}" for address, rate in rates.items()},
        **{f"rate_log10/{address}": f"{max(log, FROZEN_LOG10):.4g}" for address, log in as_logs.items()},
    }


def epoch_metrics(record: EpochMetrics) -> Iterable[Metric]:
    """Return the metrics of one epoch."""
    values = {
        "train/loss": record.train_loss,
        "validation/loss": record.validation_loss,
        "validation/accuracy": record.validation_accuracy,
        "validation/score": None if record.validation_score == record.validation_accuracy else record.validation_score,
        **{f"validation/{task}": score for task, score in (record.tasks or {}).items()},
    }
    return [Metric(name, value, record.epoch, record.ended_ms) for name, value in values.items() if value is not None]
