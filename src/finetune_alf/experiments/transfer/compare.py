"""Comparison of the schemes on one sample: each one's score, and its difference from the baseline."""

from collections.abc import Mapping, Sequence

from finetune_alf.comparison import Predictions, SeedsScore, differences_from, mean_score, seeds_scores
from finetune_alf.experiments.transfer.document import SchemeResult
from finetune_alf.metric_names import Label
from finetune_alf.metrics import ACCURACY, BALANCED_ACCURACY, Metric
from finetune_alf.rates import LayerRates
from finetune_alf.register.recommend import BASELINE, PRIMARY, UNIFORM

ACCURACIES = {"accuracy": ACCURACY, "balanced_accuracy": BALANCED_ACCURACY}
"""What is reported besides the metric where labels are classes."""


def compare(
    truth: Sequence[Label],
    predictions: Mapping[str, Predictions],
    metric: Metric = ACCURACY,
    rates: Mapping[str, LayerRates] | None = None,
) -> dict[str, SchemeResult]:
    """Return each scheme's scores with intervals, and its paired difference from the baseline.

    `alf-1` also has its difference from `uniform`. `score` and `difference` are by the metric; `accuracy` and
    `balanced_accuracy` are added where labels are classes. A scheme whose every fit diverged is left out; seeds are
    compared where both schemes have them. `rates` are those that the schemes were fitted by.
    """
    converged = {scheme: by_seed for scheme, by_seed in predictions.items() if by_seed}
    scores = {scheme: seeds_scores(metric, truth, by_seed) for scheme, by_seed in converged.items()}
    differences = differences_from(BASELINE, scores)
    rivals = differences_from(UNIFORM, {key: scores[key] for key in (UNIFORM, PRIMARY) if key in scores})
    return {
        scheme: SchemeResult(
            n_seeds=len(by_seed),
            score=mean_score(scores[scheme]),
            difference=differences.get(scheme),
            from_single_rate=rivals.get(scheme),
            rates=(rates or {}).get(scheme),
            **_accuracies(truth, by_seed, metric),
        )
        for scheme, by_seed in converged.items()
    }


def _accuracies(truth: Sequence[Label], by_seed: Predictions, metric: Metric) -> dict[str, SeedsScore | None]:
    if metric.problem_type(truth) != "classification":
        return dict.fromkeys(ACCURACIES)
    return {name: mean_score(seeds_scores(each, truth, by_seed)) for name, each in ACCURACIES.items()}
