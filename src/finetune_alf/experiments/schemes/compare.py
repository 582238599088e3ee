"""Comparison of the combinations on one sample: losses, scores with intervals, differences from plain fine-tuning."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from finetune_alf.experiments.comparison import compare_with, score_of
from finetune_alf.experiments.schemes.cells import Cell
from finetune_alf.experiments.schemes.combination import BASELINE
from finetune_alf.experiments.schemes.document import CombinationResult, MeanLoss
from finetune_alf.experiments.schemes.published import published_scores
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.metrics import Metric
from finetune_alf.seeds import child_seed
from finetune_alf.train.result import RecordedFit

Fits = Sequence[tuple[Cell, RecordedFit]]


def compare(
    spec: SchemesSpec, sample: str, metric: Metric, truth: Sequence[float], fits: Fits
) -> tuple[CombinationResult, ...]:
    """Return a row for each combination, in order.

    p values of the differences from the baseline, `fixed` without an adapter and with a constant curve, are corrected
    (Holm 1979) over the combinations of this sample; seeds are compared where both have them. A combination whose every
    fit diverged has neither loss nor score.
    """
    results: dict[str, dict[int, RecordedFit]] = {}
    for cell, fit in fits:
        results.setdefault(cell.combination.name, {})[cell.seed] = fit
    predictions = {
        name: {seed: fit.predictions for seed, fit in by_seed.items() if fit.predictions}
        for name, by_seed in results.items()
    }

    def difference_seed(name: str) -> int:
        return child_seed(spec.seed, "difference", name)

    differences = compare_with(BASELINE, metric, truth, predictions, spec.n_resamples, difference_seed)
    seed = child_seed(spec.seed, "score")
    return tuple(
        CombinationResult(
            scheme=combination.scheme,
            adapter=combination.adapter_name,
            curve=combination.curve.kind,
            **_means(list(results[combination.name].values())),
            score=score_of(metric, truth, by_seed, spec.n_resamples, seed) if by_seed else None,
            difference=differences.get(combination.name),
            published=published_scores(sample, combination),
        )
        for combination in spec.combinations
        for by_seed in [predictions[combination.name]]
    )


def _means(fits: Sequence[RecordedFit]) -> dict[str, Any]:
    losses = [fit.loss for fit in fits if fit.loss is not None]
    timed = [fit for fit in fits if fit.loss is not None] or fits  # a fit that diverges stops early
    return {
        "n_seeds": len(losses),
        "n_diverged": len(fits) - len(losses),
        "loss": MeanLoss(mean=fmean(losses), sd_seeds=stdev(losses) if len(losses) > 1 else None) if losses else None,
        "seconds": fmean(fit.seconds for fit in timed),
        "n_trainable_parameters": fits[0].n_trainable_parameters,
    }
