"""Comparison of the factors: accuracies, and differences from no decay at the same rate."""

from collections.abc import Sequence

from finetune_alf.comparison import differences_from, judged, mean_score, seeds_scores
from finetune_alf.experiments.cell_line import time_of_a_fit
from finetune_alf.experiments.decay.cells import Cell
from finetune_alf.experiments.decay.document import PairResult
from finetune_alf.experiments.decay.family import Pair, decay_family
from finetune_alf.experiments.decay.published import published_error
from finetune_alf.metric_names import Label
from finetune_alf.metrics import ACCURACY
from finetune_alf.train.result import RecordedFit

Fits = Sequence[tuple[Cell, RecordedFit]]


def compare(sample: str, truth: Sequence[Label], fits: Fits) -> tuple[PairResult, ...]:
    """Return the results of all pairs, in the order of the cells; `truth` are the classes of the test texts."""
    results: dict[Pair, dict[int, RecordedFit]] = {}
    for cell, fit in fits:
        results.setdefault((cell.rate, cell.factor), {})[cell.seed] = fit
    scores = {
        pair: seeds_scores(ACCURACY, truth, predictions)
        for pair, by_seed in results.items()
        if (predictions := {seed: fit.predictions for seed, fit in by_seed.items() if fit.predictions})
    }
    differences = {
        pair: difference
        for rate in dict.fromkeys(rate for rate, _ in scores)
        for pair, difference in differences_from(
            (rate, 1.0), {pair: own for pair, own in scores.items() if pair[0] == rate}
        ).items()
    }
    verdicts = judged(differences, decay_family(results))
    return tuple(
        PairResult(
            rate=pair[0],
            factor=pair[1],
            n_seeds=sum(fit.stopped != "diverged" for fit in by_seed.values()),
            n_diverged=sum(fit.stopped == "diverged" for fit in by_seed.values()),
            accuracy=mean_score(scores[pair]) if pair in scores else None,
            difference=verdicts.get(pair),
            published_error=published_error(sample, *pair),
            seconds=time_of_a_fit(by_seed.values()),
        )
        for pair, by_seed in results.items()
    )
