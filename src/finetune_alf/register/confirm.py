"""Confirmation: fit rates again with new seeds, and score them on a split that no trial was scored on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from finetune_alf.comparison import seeds_scores
from finetune_alf.documents import Estimate
from finetune_alf.jobs.job import FitJob
from finetune_alf.metric_names import Label
from finetune_alf.metrics import Metric
from finetune_alf.rates import LayerRates
from finetune_alf.register.single_rate import uniform_rates
from finetune_alf.seeds import child_seed
from finetune_alf.stats import Scores, estimate
from finetune_alf.study.records import TrialRecord
from finetune_alf.train.result import FitResult
from finetune_alf.train.task_scores import overall_scores, scores_by_task

LabelsByTask = Mapping[str, Sequence[Label]]
"""task -> the class or score of each text of the confirmation split; a plain sample is its own only task."""

BASELINE, SINGLE_RATE = "baseline", "single-rate"
"""What is confirmed beside the trials."""


@dataclass(frozen=True)
class Confirmation:
    """Rates that were fitted again: the score of each fit, and the same scores with each text's part in them."""

    rates: LayerRates
    scores: tuple[float, ...]
    by_text: Scores

    @property
    def estimate(self) -> Estimate:
        """The mean score with its 95 % interval over seeds and texts."""
        found = estimate(self.by_text)
        return Estimate(mean=float(np.mean(self.scores)), low=found.low, high=found.high)


def trial_name(number: int) -> str:
    """Return what a trial is called among the rates that are confirmed."""
    return f"trial-{number}"


def rates_to_confirm(trials: Iterable[TrialRecord], baseline: LayerRates, single_rate: float) -> dict[str, LayerRates]:
    """Return the rates of trials, baseline and best single rate, by the names under which they are confirmed."""
    rates = {trial_name(record.number): record.rates for record in trials}
    return rates | {BASELINE: baseline, SINGLE_RATE: uniform_rates(single_rate, baseline)}


def confirmation_jobs(rates: Mapping[str, LayerRates], template: FitJob, n_seeds: int, seed: int) -> list[FitJob]:
    """Return a job for each of the named rates and each seed; all have the same seeds, none of them the study's.

    Equal rates are fitted once, under the first of their names.
    """
    return [
        replace(
            template,
            key=job_key(name, index),
            recipe=template.fine_tuning.with_rates(own),
            seed=child_seed(seed, "confirmation", index),
            score_on="confirmation",
        )
        for own, name in _first_names(rates).items()
        for index in range(n_seeds)
    ]


def job_key(name: str, seed_index: int) -> str:
    """Return the key of one confirmation."""
    return f"{name}/seed-{seed_index}"


def confirmations(
    rates: Mapping[str, LayerRates],
    results: Mapping[str, FitResult],
    template: FitJob,
    n_seeds: int,
    labels: LabelsByTask,
    metrics: Mapping[str, Metric],
) -> dict[str, Confirmation]:
    """Return the confirmation of each of the named rates; those of which any fit diverged are left out.

    `labels` and `metrics` are those of the tasks.
    """
    names, found = _first_names(rates), {}
    for name, own in rates.items():
        fits = [results[job_key(names[own], index)] for index in range(n_seeds)]
        scores = tuple(fit.score for fit in fits if fit.score is not None)
        if len(scores) == n_seeds:
            found[name] = Confirmation(own, scores, _scores(template, fits, labels, metrics))
    return found


def _first_names(rates: Mapping[str, LayerRates]) -> dict[LayerRates, str]:
    first: dict[LayerRates, str] = {}
    for name, own in rates.items():
        first.setdefault(own, name)
    return first


def _scores(template: FitJob, fits: Sequence[FitResult], labels: LabelsByTask, metrics: Mapping[str, Metric]) -> Scores:
    """Return the scores of the fits, of several tasks the overall score."""
    tasks = template.fine_tuning.tasks
    if tasks is None:
        (truth,), (metric,) = labels.values(), metrics.values()
        return seeds_scores(metric, truth, dict(enumerate(fit.predictions for fit in fits)))
    return overall_scores(tasks, metrics, scores_by_task(labels, metrics, dict(enumerate(fits))))
