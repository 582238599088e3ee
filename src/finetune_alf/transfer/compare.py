"""The cells of one sample, compared: each scheme's accuracy, and its difference from the baseline."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune_alf.seeds import child_seed
from finetune_alf.stats import Difference, crossed_bootstrap, holm, paired_difference, verdict
from finetune_alf.transfer.spec import TransferSpec

BASELINE = "baseline"

Predictions = Mapping[str, Mapping[int, Sequence[int]]]
"""scheme -> fit seed -> the class predicted for each test text."""


def compare(truth: Sequence[int], predictions: Predictions, spec: TransferSpec) -> dict[str, Any]:
    """Return each scheme's accuracies with intervals and its paired difference from the baseline.

    p values are corrected (Holm 1979) over all schemes of this sample. A scheme without a seed that converged is
    left out; seeds are compared where both schemes have them.
    """
    correct = {scheme: _correct(truth, by_seed) for scheme, by_seed in predictions.items() if by_seed}
    differences = _differences(correct, predictions, spec)
    adjusted = dict(zip(differences, holm([difference.p for difference in differences.values()]), strict=True))
    return {
        scheme: _accuracies(truth, predictions[scheme], matrix, spec)
        | {"difference": _told(differences[scheme], adjusted[scheme]) if scheme in differences else None}
        for scheme, matrix in correct.items()
    }


def majority(truth: Sequence[int]) -> float:
    """Return the accuracy of always saying the commonest class."""
    return Counter(truth).most_common(1)[0][1] / len(truth)


def _correct(truth: Sequence[int], by_seed: Mapping[int, Sequence[int]]) -> NDArray[np.int64]:
    return np.array([np.equal(by_seed[seed], truth) for seed in sorted(by_seed)], dtype=np.int64)  # (seeds, texts)


def _differences(
    correct: Mapping[str, NDArray[np.int64]], predictions: Predictions, spec: TransferSpec
) -> dict[str, Difference]:
    if BASELINE not in correct:
        return {}
    differences = {}
    for scheme in correct:
        shared = sorted(set(predictions[scheme]) & set(predictions[BASELINE]))
        if scheme == BASELINE or not shared:
            continue
        ours, theirs = (
            correct[name][[sorted(predictions[name]).index(seed) for seed in shared]] for name in (scheme, BASELINE)
        )
        seed = child_seed(spec.seed, "difference", scheme)
        differences[scheme] = paired_difference(ours, theirs, seed, spec.n_resamples)
    return differences


def _accuracies(
    truth: Sequence[int], by_seed: Mapping[int, Sequence[int]], correct: NDArray[np.int64], spec: TransferSpec
) -> dict[str, Any]:
    seed = child_seed(spec.seed, "accuracy")
    means = correct.mean(axis=1)
    return {
        "n_seeds": len(by_seed),
        "accuracy": asdict(crossed_bootstrap(correct, spec.n_resamples, seed))
        | {"sd_seeds": float(means.std(ddof=1)) if len(means) > 1 else None},
        "balanced_accuracy": asdict(crossed_bootstrap(correct, spec.n_resamples, seed, classes=truth)),
    }


def _told(difference: Difference, p_holm: float) -> dict[str, Any]:
    return asdict(difference) | {"p_holm": p_holm, "verdict": str(verdict(difference, p_holm))}
