"""Comparison of the combinations: losses, scores with intervals, differences from plain fine-tuning."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from finetune_alf.comparison import differences_from, judged, mean_score, seeds_scores
from finetune_alf.experiments.cell_line import time_of_a_fit
from finetune_alf.experiments.schemes.cells import Cell
from finetune_alf.experiments.schemes.combination import BASELINE
from finetune_alf.experiments.schemes.document import CombinationResult, MeanLoss
from finetune_alf.experiments.schemes.family import schemes_family
from finetune_alf.experiments.schemes.published import published_scores
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.metric_names import Label
from finetune_alf.metrics import Metric
from finetune_alf.train.result import RecordedFit

Fits = Sequence[tuple[Cell, RecordedFit]]
Truths = Mapping[str, Sequence[Label]]
"""Sample -> the true class or score of each text that is scored."""


def compare(
    spec: SchemesSpec, truths: Truths, metrics: Mapping[str, Metric], fits: Fits
) -> dict[str, tuple[CombinationResult, ...]]:
    """Return the rows of each sample: one for each combination, in order.

    `metrics` are those of the samples. Differences are from the baseline, `fixed` without an adapter and with a
    constant curve, over the seeds that both have. A combination whose every fit diverged has neither loss nor score.
    The survey's scores are of a validation split, and stand beside such scores alone.
    """
    results: dict[tuple[str, str], dict[int, RecordedFit]] = {}
    for cell, fit in fits:
        results.setdefault((cell.sample, cell.combination.name), {})[cell.seed] = fit
    scores = {
        (sample, name): seeds_scores(metrics[sample], truths[sample], predictions)
        for (sample, name), by_seed in results.items()
        if (predictions := {seed: fit.predictions for seed, fit in by_seed.items() if fit.predictions})
    }
    differences = {
        key: difference
        for sample in truths
        for key, difference in differences_from(
            (sample, BASELINE), {key: own for key, own in scores.items() if key[0] == sample}
        ).items()
    }
    verdicts = judged(differences, schemes_family(spec))
    return {
        sample: tuple(
            CombinationResult(
                scheme=combination.scheme,
                adapter=combination.adapter_name,
                curve=combination.curve.kind,
                **_means(list(results[key].values())),
                score=mean_score(scores[key]) if key in scores else None,
                difference=verdicts.get(key),
                published=published_scores(sample, combination) if spec.score_on == "validation" else None,
            )
            for combination in spec.combinations
            for key in [(sample, combination.name)]
        )
        for sample in truths
    }


def _means(fits: Sequence[RecordedFit]) -> dict[str, Any]:
    losses = [fit.loss for fit in fits if fit.loss is not None]
    return {
        "n_seeds": len(losses),
        "n_diverged": len(fits) - len(losses),
        "loss": MeanLoss(mean=fmean(losses), sd_seeds=stdev(losses) if len(losses) > 1 else None) if losses else None,
        "seconds": time_of_a_fit(fits),
        "n_trainable_parameters": fits[0].n_trainable_parameters,
    }
