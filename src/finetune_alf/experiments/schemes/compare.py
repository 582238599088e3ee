"""The combinations on one sample, side by side: losses, scores with intervals, differences from plain fine-tuning."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean, stdev
from typing import Any

from finetune_alf.experiments.schemes.cells import Cell
from finetune_alf.experiments.schemes.combination import PLAIN, Combination
from finetune_alf.experiments.schemes.published import published_scores
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.metrics import METRICS
from finetune_alf.seeds import child_seed
from finetune_alf.stats import Difference, holm, score_difference, score_interval, verdict
from finetune_alf.train.result import FitResult

Fits = Sequence[tuple[Cell, FitResult]]
BySeed = Mapping[int, Sequence[float]]
"""Fit seed -> what was predicted for each text; diverged fits predicted nothing."""


def compare(spec: SchemesSpec, sample: str, truth: Sequence[float], fits: Fits) -> list[dict[str, Any]]:
    """Return a row for each combination, in order.

    p values of the differences from `fixed` without adapter at a constant curve are corrected (Holm 1979) over the
    combinations of this sample; seeds are compared where both have them. A combination whose every fit diverged has
    neither loss nor score.
    """
    own = {one: [fit for cell, fit in fits if cell.combination == one] for one in spec.combinations}
    said = {
        one: {cell.seed: fit.predictions for cell, fit in fits if cell.combination == one and fit.predictions}
        for one in spec.combinations
    }
    differences = _differences(spec, truth, said)
    adjusted = dict(zip(differences, holm([difference.p for difference in differences.values()]), strict=True))
    return [
        {
            "scheme": one.scheme,
            "adapter": one.adapter_name,
            "curve": one.curve.kind,
            **_numbers(own[one]),
            "score": _score(spec, truth, said[one]),
            "difference": _told(differences[one], adjusted[one]) if one in differences else None,
            "published": (found := published_scores(sample, one)) and asdict(found),
        }
        for one in spec.combinations
    ]


def _numbers(fits: Sequence[FitResult]) -> dict[str, Any]:
    losses = [fit.loss for fit in fits if fit.loss is not None]
    loss = {"mean": fmean(losses), "sd_seeds": stdev(losses) if len(losses) > 1 else None} if losses else None
    timed = [fit for fit in fits if fit.loss is not None] or fits  # a fit that diverges ends early
    return {
        "n_seeds": len(losses),
        "n_diverged": len(fits) - len(losses),
        "loss": loss,
        "seconds": fmean(fit.seconds for fit in timed),
        "n_trainable_parameters": fits[0].n_trainable_parameters,
    }


def _score(spec: SchemesSpec, truth: Sequence[float], by_seed: BySeed) -> dict[str, Any] | None:
    if not by_seed:
        return None
    predicted = [by_seed[seed] for seed in sorted(by_seed)]
    seed = child_seed(spec.seed, "score")
    scores = [METRICS[spec.metric](truth, one) for one in predicted]
    interval = score_interval(METRICS[spec.metric], truth, predicted, spec.n_resamples, seed)
    return asdict(interval) | {"sd_seeds": stdev(scores) if len(scores) > 1 else None}


def _differences(
    spec: SchemesSpec, truth: Sequence[float], said: Mapping[Combination, BySeed]
) -> dict[Combination, Difference]:
    plain: BySeed = next((by_seed for one, by_seed in said.items() if one.name == PLAIN), {})
    differences = {}
    for one, by_seed in said.items():
        shared = sorted(set(by_seed) & set(plain))
        if one.name != PLAIN and shared:
            ours, theirs = ([each[seed] for seed in shared] for each in (by_seed, plain))
            seed = child_seed(spec.seed, "difference", one.name)
            differences[one] = score_difference(METRICS[spec.metric], truth, ours, theirs, seed, spec.n_resamples)
    return differences


def _told(difference: Difference, p_holm: float) -> dict[str, Any]:
    return asdict(difference) | {"p_holm": p_holm, "verdict": str(verdict(difference, p_holm))}
