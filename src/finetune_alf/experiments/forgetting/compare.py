"""Comparison of the rates: errors by step, and the accuracies after the last step."""

from collections.abc import Sequence
from statistics import fmean

from finetune_alf.comparison import differences_from, judged, mean_score, seeds_scores
from finetune_alf.experiments.cell_line import time_of_a_fit
from finetune_alf.experiments.forgetting.cells import Cell
from finetune_alf.experiments.forgetting.document import ErrorAt, RateResult
from finetune_alf.experiments.forgetting.family import forgetting_family
from finetune_alf.metric_names import Label
from finetune_alf.metrics import ACCURACY
from finetune_alf.train.result import EpochMetrics, RecordedFit

Fits = Sequence[tuple[Cell, RecordedFit]]


def compare(truth: Sequence[Label], fits: Fits, every_steps: int) -> tuple[RateResult, ...]:
    """Return the results of all rates, the lowest first; `truth` are the classes of the validation texts."""
    results: dict[float, dict[int, RecordedFit]] = {}
    for cell, fit in sorted(fits, key=lambda pair: pair[0].rate):
        results.setdefault(cell.rate, {})[cell.seed] = fit
    scores = {
        rate: seeds_scores(ACCURACY, truth, predictions)
        for rate, by_seed in results.items()
        if (predictions := {seed: fit.predictions for seed, fit in by_seed.items() if fit.predictions})
    }
    differences = judged(differences_from(min(results), scores), forgetting_family(list(results)))
    return tuple(
        RateResult(
            rate=rate,
            n_seeds=sum(fit.stopped != "diverged" for fit in by_seed.values()),
            n_diverged=sum(fit.stopped == "diverged" for fit in by_seed.values()),
            errors=errors_by_step([fit.epochs for fit in by_seed.values()], every_steps),
            accuracy=mean_score(scores[rate]) if rate in scores else None,
            difference=differences.get(rate),
            seconds=time_of_a_fit(by_seed.values()),
        )
        for rate, by_seed in results.items()
    )


def errors_by_step(fits: Sequence[Sequence[EpochMetrics]], every_steps: int) -> tuple[ErrorAt, ...]:
    """Return the error at each evaluation that a fit has reached; a diverged fit counts up to its last score."""
    reached: dict[int, list[float]] = {}
    for epochs in fits:
        for epoch in epochs:
            if epoch.validation_accuracy is not None:
                reached.setdefault((epoch.epoch + 1) * every_steps, []).append(1 - epoch.validation_accuracy)
    return tuple(
        ErrorAt(step=step, mean=fmean(errors), low=min(errors), high=max(errors), n_seeds=len(errors))
        for step, errors in sorted(reached.items())
    )
