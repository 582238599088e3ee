"""A fit as a run of MLflow: rates as params, metrics by epoch, the schedule as an artifact."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from finetune_alf.compute import Environment
from finetune_alf.files import canonical_json
from finetune_alf.recipe import AnyRecipe
from finetune_alf.running.parent_run import commit_tag
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.study.records import TrialRecord
from finetune_alf.tracking.record import Metric, RunRecord
from finetune_alf.train.result import EpochMetrics, FitResult

_LOGGED_FIELDS = ("batch", "epochs", "max_tokens", "keep", "kind", "pooling", "longest_ngram", "n_folds")
"""The fields of a recipe that are params of its run, for each kind of recipe those that it has."""

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
) -> RunRecord:
    """Return the run of one fit. `scores` are final ones by name, such as `test.accuracy`; None where it diverged."""
    ended_ms = result.started_ms + round(result.seconds * 1000)
    last = result.epochs[-1].epoch if result.epochs else 0
    finals = {
        **scores,
        "seconds": result.seconds,
        "n_trainable_parameters": float(result.n_trainable_parameters),
        **{f"movement.{address}": moved for address, moved in (result.movement or {}).items()},
    }
    return RunRecord(
        key=key,
        name=name,
        started_ms=result.started_ms,
        ended_ms=ended_ms,
        status="FAILED" if result.stopped == "diverged" else "FINISHED",
        params=_params(recipe, n_layers, environment),
        metrics=(
            *(metric for record in result.epochs for metric in _epoch_metrics(record)),
            *(Metric(name, value, last, ended_ms) for name, value in finals.items() if value is not None),
        ),
        tags={**tags, **commit_tag(environment.git_commit), "alf.stopped": result.stopped},
        artifacts={"recipe.json": canonical_json(recipe.model_dump(mode="json")).encode()},
    )


def trial_run(key: str, schedule: Schedule, record: TrialRecord, *, metric: str, tags: Mapping[str, str]) -> RunRecord:
    """Return the run of one trial; a trial that failed without a result has its rates and the reason."""
    name, n_layers = f"trial {record.number}", record.rates.n_layers
    tags = {**tags, "alf.trial": str(record.number), "alf.state": record.state}
    if record.repeats is not None:
        tags["alf.repeats"] = str(record.repeats)
    if record.result is not None:
        scores = {f"validation.{metric}.kept": record.result.score}
        run = fit_run(key, name, schedule.recipe, n_layers, record.result, record.environment, scores=scores, tags=tags)
        return replace(run, artifacts={"schedule.json": schedule.to_json().encode()})
    return RunRecord(
        key=key,
        name=name,
        started_ms=record.started_ms,
        ended_ms=record.ended_ms,
        status="FAILED",
        params={f"rates.{address}": f"{rate:g}" for address, rate in record.rates.items()},
        tags={**tags, **commit_tag(record.environment.git_commit), "alf.reason": record.reason or ""},
    )


def _params(recipe: AnyRecipe, n_layers: int, environment: Environment) -> dict[str, str]:
    rates = {f"rates.{address}": f"{rate:g}" for address, rate in recipe.rates_at(n_layers).items()}
    fields = {name: str(getattr(recipe, name)) for name in _LOGGED_FIELDS if hasattr(recipe, name)}
    defaults = {name: field.default for name, field in type(recipe).model_fields.items()}
    others = {name: getattr(recipe, name) for name in _LOGGED_IF_SET if name in defaults}
    fields |= {name: str(value) for name, value in others.items() if value != defaults[name]}
    return {**rates, **fields, "precision": environment.precision, "device": environment.device}


def _epoch_metrics(record: EpochMetrics) -> Iterable[Metric]:
    values = {
        "train.loss": record.train_loss,
        "validation.loss": record.validation_loss,
        "validation.accuracy": record.validation_accuracy,
        "validation.score": None if record.validation_score == record.validation_accuracy else record.validation_score,
        **{f"validation.{task}": score for task, score in (record.tasks or {}).items()},
    }
    return [Metric(name, value, record.epoch, record.ended_ms) for name, value in values.items() if value is not None]
