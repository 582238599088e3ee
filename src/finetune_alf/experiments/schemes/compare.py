"""The combinations on one sample, side by side: losses, scores with intervals, differences from plain fine-tuning."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from finetune_alf.experiments.comparison import compare_with, score_of
from finetune_alf.experiments.schemes.cells import Cell
from finetune_alf.experiments.schemes.combination import PLAIN
from finetune_alf.experiments.schemes.document import CombinationResult, MeanLoss
from finetune_alf.experiments.schemes.published import published_scores
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.seeds import child_seed
from finetune_alf.train.result import FitResult

Fits = Sequence[tuple[Cell, FitResult]]


def compare(spec: SchemesSpec, sample: str, truth: Sequence[float], fits: Fits) -> tuple[CombinationResult, ...]:
    """Return a row for each combination, in order.

    p values of the differences from `fixed` without adapter at a constant curve are corrected (Holm 1979) over the
    combinations of this sample; seeds are compared where both have them. A combination whose every fit diverged has
    neither loss nor score.
    """
    own = {one.name: [fit for cell, fit in fits if cell.combination == one] for one in spec.combinations}
    predictions = {
        one.name: {cell.seed: fit.predictions for cell, fit in fits if cell.combination == one and fit.predictions}
        for one in spec.combinations
    }

    def difference_seed(name: str) -> int:
        return child_seed(spec.seed, "difference", name)

    differences = compare_with(PLAIN, spec.metric, truth, predictions, spec.n_resamples, difference_seed)
    seed = child_seed(spec.seed, "score")
    return tuple(
        CombinationResult(
            scheme=one.scheme,
            adapter=one.adapter_name,
            curve=one.curve.kind,
            **_numbers(own[one.name]),
            score=score_of(spec.metric, truth, by_seed, spec.n_resamples, seed) if by_seed else None,
            difference=differences.get(one.name),
            published=published_scores(sample, one),
        )
        for one, by_seed in zip(spec.combinations, predictions.values(), strict=True)
    )


def _numbers(fits: Sequence[FitResult]) -> dict[str, Any]:
    losses = [fit.loss for fit in fits if fit.loss is not None]
    timed = [fit for fit in fits if fit.loss is not None] or fits  # a fit that diverges ends early
    return {
        "n_seeds": len(losses),
        "n_diverged": len(fits) - len(losses),
        "loss": MeanLoss(mean=fmean(losses), sd_seeds=stdev(losses) if len(losses) > 1 else None) if losses else None,
        "seconds": fmean(fit.seconds for fit in timed),
        "n_trainable_parameters": fits[0].n_trainable_parameters,
    }
