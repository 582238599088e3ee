"""A multi-task experiment's numbers, as the stage writes them and the report reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from statistics import fmean, median
from typing import Any

import numpy as np

from finetune_alf.experiments.multitask.cells import OVERALL
from finetune_alf.experiments.multitask.spec import MultitaskSpec
from finetune_alf.metrics import METRICS, majority_baseline
from finetune_alf.recipe import TasksSpec
from finetune_alf.seeds import child_seed
from finetune_alf.stats.combined import Values, combined, interval_of, resampled
from finetune_alf.train.result import FitResult

Truths = Mapping[str, Sequence[float]]
"""task -> the true class or score of each text of the split that scores."""

Fits = Mapping[str, Mapping[int, FitResult]]
"""cell -> fit seed -> result; diverged fits too."""


def cells_table(spec: MultitaskSpec, truths: Truths, fits: Fits) -> dict[str, Any]:
    """Return each cell's scores with intervals, what they cost, and both relative to the baseline.

    Texts are resampled task by task, the same ones for all cells; seeds are compared where both cells have them. A cell
    without a fit that converged has no scores.
    """
    held = {name: _converged(by_seed) for name, by_seed in fits.items()}
    values = {name: _values(spec, truths, by_seed) if by_seed else {} for name, by_seed in held.items()}
    rows = {
        name: {"n_seeds": len(held[name]), "n_diverged": len(by_seed) - len(held[name])}
        | (_scores(spec, held[name], values[name]) if held[name] else {})
        for name, by_seed in fits.items()
    }
    for name, row in rows.items():
        row |= _relative(spec, row, rows[spec.baseline], *(_overall(held[n], values[n]) for n in (name, spec.baseline)))
    return rows


def floor(tasks: TasksSpec, truths: Truths, metrics: Mapping[str, str]) -> dict[str, float]:
    """Return what always naming the commonest class, or the mean score, would score at each task and overall."""
    each = {task: majority_baseline(metrics[task], truth) for task, truth in truths.items()}
    return {**each, OVERALL: tasks.score(each, metrics)}


def _converged(by_seed: Mapping[int, FitResult]) -> dict[int, FitResult]:
    return {seed: by_seed[seed] for seed in sorted(by_seed) if by_seed[seed].score is not None}


def metrics_of_fit(result: FitResult) -> dict[str, str]:
    """Return the metric of each task."""
    return {task: one.metric for task, one in (result.tasks or {}).items()}


def _values(spec: MultitaskSpec, truths: Truths, by_seed: Mapping[int, FitResult]) -> dict[str, Values]:
    metrics = metrics_of_fit(next(iter(by_seed.values())))
    values = {}
    for task, metric in metrics.items():
        said = [(fit.tasks or {})[task].predictions for fit in by_seed.values()]
        seed = child_seed(spec.seed, "texts", task)
        values[task] = resampled(METRICS[metric], truths[task], said, spec.n_resamples, seed)
    assert spec.recipe.tasks  # noqa: S101 - the spec checks it
    return {**values, OVERALL: combined(values, partial(spec.recipe.tasks.score, metrics=metrics))}


def _scores(spec: MultitaskSpec, by_seed: Mapping[int, FitResult], values: Mapping[str, Values]) -> dict[str, Any]:
    fits = list(by_seed.values())
    metrics, seed = metrics_of_fit(fits[0]), child_seed(spec.seed, "seeds")
    told = {name: asdict(interval_of(own, seed)) for name, own in values.items()}
    return {
        OVERALL: told[OVERALL],
        "tasks": {task: {"metric": metric, **told[task]} for task, metric in metrics.items()},
        "validation": fmean(_kept(fit) for fit in fits),
        "kept_epoch": fmean(fit.kept_epoch or 0 for fit in fits),
        "n_trainable_parameters": fits[0].n_trainable_parameters,
        "seconds": median(fit.seconds for fit in fits),
    }


def _kept(fit: FitResult) -> float:
    """Return the overall score on the validation split of the epoch that counts."""
    return fit.epochs[fit.kept_epoch or 0].validation_score or 0.0


def _overall(by_seed: Mapping[int, FitResult], values: Mapping[str, Values]) -> dict[int, Values]:
    return {seed: values[OVERALL][:, [column]] for column, seed in enumerate(by_seed)}


def _relative(
    spec: MultitaskSpec,
    row: Mapping[str, Any],
    base: Mapping[str, Any],
    own: Mapping[int, Values],
    of_base: Mapping[int, Values],
) -> dict[str, Any]:
    """Return time saved, score kept, and the paired difference from the baseline; none where one has no scores.

    There is no share to keep of a score that is not above 0.
    """
    shared = [seed for seed in own if seed in of_base]
    if not shared or row is base:
        return {"saved": None, "kept": None, "difference": None}
    differences = np.concatenate([own[seed] - of_base[seed] for seed in shared], axis=1)
    score = base[OVERALL]["mean"]
    return {
        "saved": 1 - row["seconds"] / base["seconds"],
        "kept": row[OVERALL]["mean"] / score if score > 0 else None,
        "difference": asdict(interval_of(differences, child_seed(spec.seed, "seeds"))),
    }
