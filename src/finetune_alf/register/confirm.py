"""Confirmation: fit the selected trials again with new seeds, and score them on a split that no trial was scored on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from finetune_alf.errors import PartialError
from finetune_alf.metrics import Metric
from finetune_alf.register.candidates import Candidate
from finetune_alf.seeds import child_seed
from finetune_alf.stats import Scores, estimate, scores_of
from finetune_alf.study.records import TrialRecord
from finetune_alf.train.job import FitJob
from finetune_alf.train.result import FitResult
from finetune_alf.train.task_scores import overall_scores, scores_by_task

LabelsByTask = Mapping[str, Sequence[float]]
"""task -> the class or score of each text of the confirmation split; a plain sample is its own only task."""


def confirmation_jobs(selected: Sequence[TrialRecord], template: FitJob, n_seeds: int, seed: int) -> list[FitJob]:
    """Return a job for each selected trial and seed; all trials have the same seeds, none of them the study's."""
    return [
        replace(
            template,
            key=job_key(record.number, index),
            recipe=template.fine_tuning.with_rates(record.rates),
            seed=child_seed(seed, "confirmation", index),
            score_on="confirmation",
        )
        for record in selected
        for index in range(n_seeds)
    ]


def job_key(trial: int, seed_index: int) -> str:
    """Return the key of one confirmation."""
    return f"trial-{trial}/seed-{seed_index}"


def confirmed_candidate(
    record: TrialRecord,
    results: Mapping[str, FitResult],
    template: FitJob,
    n_seeds: int,
    labels: LabelsByTask,
    metrics: Mapping[str, Metric],
) -> Candidate | None:
    """Return a trial's scores over its seeds, with the 95 % interval of their mean; None if any fit diverged.

    `labels` and `metrics` are those of the tasks.
    """
    fits = [results[job_key(record.number, index)] for index in range(n_seeds)]
    scores = [fit.score for fit in fits if fit.score is not None]
    if len(scores) < n_seeds or record.score is None:
        return None
    confirmed = estimate(_scores(template, fits, labels, metrics))
    return Candidate(
        trial=record.number,
        rates=record.rates,
        search_score=record.score,
        scores=tuple(scores),
        mean=float(np.mean(scores)),
        low=confirmed.low,
        high=confirmed.high,
    )


def require_two(study: str, candidates: Sequence[Candidate | None]) -> list[Candidate]:
    """Return the candidates that did not diverge. Raises PartialError for fewer than two."""
    confirmed = [candidate for candidate in candidates if candidate is not None]
    if len(confirmed) < 2:
        raise PartialError(
            f"studies.{study}: two trials must be confirmed, but only {len(confirmed)} of {len(candidates)} did not "
            "diverge. Raise register.n_top, or search lower rates."
        )
    return confirmed


def _scores(template: FitJob, fits: Sequence[FitResult], labels: LabelsByTask, metrics: Mapping[str, Metric]) -> Scores:
    """Return the scores of the fits, of several tasks the overall score."""
    tasks = template.fine_tuning.tasks
    if tasks is None:
        (truth,), (metric,) = labels.values(), metrics.values()
        return scores_of(metric, truth, dict(enumerate(fit.predictions for fit in fits)))
    return overall_scores(tasks, metrics, scores_by_task(labels, metrics, dict(enumerate(fits))))
