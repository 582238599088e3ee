"""Comparison of the schemes on one sample: each one's score, and its difference from the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from finetune_alf.documents import Estimate
from finetune_alf.experiments.comparison import Predictions, compare_with, score_of, with_spread
from finetune_alf.experiments.transfer.document import SchemeResult
from finetune_alf.experiments.transfer.spec import TransferSpec
from finetune_alf.metrics import ACCURACY, Metric
from finetune_alf.seeds import child_seed
from finetune_alf.stats import crossed_bootstrap

BASELINE = "baseline"


def compare(
    truth: Sequence[float], predictions: Mapping[str, Predictions], spec: TransferSpec, metric: Metric = ACCURACY
) -> dict[str, SchemeResult]:
    """Return each scheme's scores with intervals, and its paired difference from the baseline.

    `score` and `difference` are by the metric; `accuracy` and `balanced_accuracy` are added where labels are classes.
    p values are corrected (Holm 1979) over all schemes of this sample. A scheme whose every fit diverged is left out;
    seeds are compared where both schemes have them.
    """
    converged = {scheme: by_seed for scheme, by_seed in predictions.items() if by_seed}

    def difference_seed(scheme: str) -> int:
        return child_seed(spec.seed, "difference", scheme)

    differences = compare_with(BASELINE, metric, truth, converged, spec.n_resamples, difference_seed)
    return {
        scheme: SchemeResult(
            n_seeds=len(by_seed), difference=differences.get(scheme), **_scores(truth, by_seed, spec, metric)
        )
        for scheme, by_seed in converged.items()
    }


def _scores(truth: Sequence[float], by_seed: Predictions, spec: TransferSpec, metric: Metric) -> dict[str, Any]:
    accuracies = _accuracies(truth, by_seed, spec) if metric.problem_type == "classification" else {}
    if metric.name == "accuracy":
        score = accuracies["accuracy"]
    else:
        score = score_of(metric, truth, by_seed, spec.n_resamples, child_seed(spec.seed, "score"))
    return {"accuracy": None, "balanced_accuracy": None, **accuracies, "score": score}


def _accuracies(truth: Sequence[float], by_seed: Predictions, spec: TransferSpec) -> dict[str, Any]:
    seed, n_resamples = child_seed(spec.seed, "accuracy"), spec.n_resamples
    correct = np.equal([by_seed[each] for each in sorted(by_seed)], truth).astype(np.int64)  # (seeds, texts)
    return {
        "accuracy": with_spread(crossed_bootstrap(correct, n_resamples, seed), correct.mean(axis=1).tolist()),
        "balanced_accuracy": Estimate(**asdict(crossed_bootstrap(correct, n_resamples, seed, classes=truth))),
    }
