"""Confirmation: the picked trials fitted again over fresh seeds and scored on texts that no trial saw."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from finetune_alf.errors import PartialError
from finetune_alf.metrics import METRICS
from finetune_alf.recipe import TasksSpec
from finetune_alf.register.candidates import Candidate
from finetune_alf.seeds import child_seed
from finetune_alf.stats import Interval, mean_interval, score_interval
from finetune_alf.stats.combined import combined, interval_of, resampled
from finetune_alf.study.records import TrialRecord
from finetune_alf.train.job import FitJob
from finetune_alf.train.result import FitResult


def confirmation_jobs(picked: Sequence[TrialRecord], template: FitJob, n_seeds: int, seed: int) -> list[FitJob]:
    """Return a job for each picked trial and seed, all trials under the same seeds, none of them the study's."""
    return [
        replace(
            template,
            key=job_key(record.number, index),
            recipe=template.recipe.with_rates(record.layer_rates),
            seed=child_seed(seed, "confirmation", index),
            score_on="confirmation",
        )
        for record in picked
        for index in range(n_seeds)
    ]


N_RESAMPLES = 2000
"""Of the bootstrap, for a score that is no mean over texts."""

Truths = Mapping[str, Sequence[float]]
"""task -> the class or score of each text of the confirmation split; a plain sample is its own one task."""


def job_key(trial: int, seed_index: int) -> str:
    """Return the key of one confirmation."""
    return f"trial-{trial}/seed-{seed_index}"


def confirmed(
    record: TrialRecord, results: Mapping[str, FitResult], template: FitJob, n_seeds: int, truths: Truths
) -> Candidate | None:
    """Return a trial's scores over its seeds, with the 95 % interval of their mean; None if one diverged."""
    mine = [results[job_key(record.number, index)] for index in range(n_seeds)]
    scores = [result.score for result in mine if result.score is not None]
    if len(scores) < n_seeds or record.score is None:
        return None
    tasks = template.recipe.tasks
    interval = _overall(tasks, mine, truths) if tasks else _single(template.metric, mine, truths)
    return Candidate(
        trial=record.number,
        rates=record.rates,
        search_score=record.score,
        scores=tuple(scores),
        mean=float(np.mean(scores)),
        low=interval.low,
        high=interval.high,
    )


def _single(metric: str, fits: Sequence[FitResult], truths: Truths) -> Interval:
    """Return the interval of one task's metric: in closed form for the accuracy, else by resampling."""
    (truth,) = truths.values()
    said = [fit.predictions for fit in fits]
    if metric == "accuracy":
        return mean_interval(np.array([np.equal(one, truth) for one in said], dtype=float))
    return score_interval(METRICS[metric], truth, said, N_RESAMPLES, child_seed(0, "confirmed"))


def _overall(tasks: TasksSpec, fits: Sequence[FitResult], truths: Truths) -> Interval:
    """Return the interval of several tasks' overall score, texts resampled task by task."""
    metrics = {task: one.metric for task, one in (fits[0].tasks or {}).items()}
    said = {task: [(fit.tasks or {})[task].predictions for fit in fits] for task in metrics}
    values = {
        task: resampled(METRICS[metric], truths[task], said[task], N_RESAMPLES, child_seed(0, "confirmed", task))
        for task, metric in metrics.items()
    }
    return interval_of(combined(values, partial(tasks.score, metrics=metrics)), child_seed(0, "confirmed"))


def at_least_two(study: str, candidates: Sequence[Candidate | None]) -> list[Candidate]:
    """Return those that did not diverge; PartialError when fewer than two are left."""
    left = [candidate for candidate in candidates if candidate is not None]
    if len(left) < 2:
        raise PartialError(
            f"studies.{study}: must have two trials that hold over fresh seeds, but {len(left)} of {len(candidates)} "
            "did not diverge. Raise register.n_top, or search lower rates."
        )
    return left
