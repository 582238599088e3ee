"""The cells of one sample, compared: each scheme's score, and its difference from the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from finetune_alf.experiments.transfer.spec import TransferSpec
from finetune_alf.metrics import METRICS
from finetune_alf.seeds import child_seed
from finetune_alf.stats import Difference, crossed_bootstrap, holm, score_difference, score_interval, verdict

BASELINE = "baseline"

Predictions = Mapping[str, Mapping[int, Sequence[float]]]
"""scheme -> fit seed -> the class or score predicted for each test text."""


def compare(
    truth: Sequence[float], predictions: Predictions, spec: TransferSpec, metric: str = "accuracy"
) -> dict[str, Any]:
    """Return each scheme's scores with intervals, and by the metric its paired difference from the baseline.

    `score` and `difference` are by the metric; where labels are classes, `accuracy` and `balanced_accuracy` stand
    beside them. p values are corrected (Holm 1979) over all schemes of this sample. A scheme without a seed that
    converged is left out; seeds are compared where both schemes have them.
    """
    held = {scheme: by_seed for scheme, by_seed in predictions.items() if by_seed}
    differences = _differences(truth, held, spec, metric)
    adjusted = dict(zip(differences, holm([difference.p for difference in differences.values()]), strict=True))
    return {
        scheme: _scores(truth, by_seed, spec, metric)
        | {"difference": _told(differences[scheme], adjusted[scheme]) if scheme in differences else None}
        for scheme, by_seed in held.items()
    }


def _differences(
    truth: Sequence[float], predictions: Predictions, spec: TransferSpec, metric: str
) -> dict[str, Difference]:
    differences = {}
    for scheme in predictions if BASELINE in predictions else ():
        shared = sorted(set(predictions[scheme]) & set(predictions[BASELINE]))
        if scheme == BASELINE or not shared:
            continue
        ours, theirs = ([predictions[name][seed] for seed in shared] for name in (scheme, BASELINE))
        seed = child_seed(spec.seed, "difference", scheme)
        differences[scheme] = score_difference(METRICS[metric], truth, ours, theirs, seed, spec.n_resamples)
    return differences


def _scores(
    truth: Sequence[float], by_seed: Mapping[int, Sequence[float]], spec: TransferSpec, metric: str
) -> dict[str, Any]:
    said = [by_seed[seed] for seed in sorted(by_seed)]
    seed = child_seed(spec.seed, "accuracy")
    told: dict[str, Any] = {"n_seeds": len(said)}
    if METRICS[metric].of == "classes":
        correct = np.equal(said, truth).astype(np.int64)  # (seeds, texts)
        told["accuracy"] = asdict(crossed_bootstrap(correct, spec.n_resamples, seed)) | _spread(
            correct.mean(axis=1).tolist()
        )
        told["balanced_accuracy"] = asdict(crossed_bootstrap(correct, spec.n_resamples, seed, classes=truth))
    if metric == "accuracy":
        return told | {"score": told["accuracy"]}
    interval = score_interval(METRICS[metric], truth, said, spec.n_resamples, child_seed(spec.seed, "score"))
    return told | {"score": asdict(interval) | _spread([METRICS[metric](truth, one) for one in said])}


def _spread(scores: Sequence[float]) -> dict[str, float | None]:
    return {"sd_seeds": float(np.std(scores, ddof=1)) if len(scores) > 1 else None}


def _told(difference: Difference, p_holm: float) -> dict[str, Any]:
    return asdict(difference) | {"p_holm": p_holm, "verdict": str(verdict(difference, p_holm))}
