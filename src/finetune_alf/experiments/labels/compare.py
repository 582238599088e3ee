"""Comparison of the schemes by number of training texts: scores, gains, differences, and equivalent texts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from finetune_alf.comparison import ComparedDifference, differences_from, judged, mean_score, seeds_scores
from finetune_alf.documents import Estimate
from finetune_alf.experiments.cell_line import time_of_a_fit
from finetune_alf.experiments.labels.cells import Cell
from finetune_alf.experiments.labels.document import EquivalentTexts, SizeResult
from finetune_alf.experiments.labels.family import Key, labels_family
from finetune_alf.experiments.labels.spec import LabelsSpec
from finetune_alf.metric_names import Label
from finetune_alf.metrics import Metric
from finetune_alf.stats import Scores, estimate
from finetune_alf.stats.learning_curve import equivalent, gain
from finetune_alf.train.result import RecordedFit

Fits = Sequence[tuple[Cell, RecordedFit]]

PER = 100
"""Gains are per so many texts."""


def compare(
    spec: LabelsSpec, truths: Mapping[str, Sequence[Label]], metrics: Mapping[str, Metric], fits: Fits
) -> dict[str, dict[str, tuple[SizeResult, ...]]]:
    """Return the results by sample, scheme and size; `truths` are the labels of the test texts.

    Everything is paired by draw: training texts of two sizes are nested, and schemes have the same texts and seed.
    """
    results: dict[Key, dict[int, RecordedFit]] = {}
    for cell, fit in fits:
        results.setdefault((cell.draw.sample, cell.scheme, cell.draw.n_train), {})[cell.draw.seed] = fit
    scores = {
        key: seeds_scores(metrics[key[0]], truths[key[0]], predictions)
        for key, by_seed in results.items()
        if (predictions := {seed: fit.predictions for seed, fit in by_seed.items() if fit.predictions})
    }
    differences = judged(_differences(spec, scores), labels_family(spec))

    def size(key: Key) -> SizeResult:
        by_seed = results[key]
        n_diverged = sum(fit.stopped == "diverged" for fit in by_seed.values())
        return SizeResult(
            n_train=key[2],
            n_seeds=len(by_seed) - n_diverged,
            n_diverged=n_diverged,
            score=mean_score(scores[key]) if key in scores else None,
            gain=_gain(spec, scores, key),
            difference=differences.get(key),
            equivalent=_equivalent(spec, scores, key),
            seconds=time_of_a_fit(by_seed.values()),
        )

    return {
        sample: {
            scheme.label: tuple(size((sample, scheme.label, n_train)) for n_train in spec.n_train)
            for scheme in spec.schemes
        }
        for sample in spec.samples
    }


def _differences(spec: LabelsSpec, scores: Mapping[Key, Scores]) -> dict[Key, ComparedDifference]:
    return {
        key: difference
        for sample in spec.samples
        for n_train in spec.n_train
        for key, difference in differences_from(
            (sample, spec.baseline, n_train),
            {key: own for key, own in scores.items() if (key[0], key[2]) == (sample, n_train)},
        ).items()
    }


def _gain(spec: LabelsSpec, scores: Mapping[Key, Scores], key: Key) -> Estimate | None:
    """Return what 100 more texts add from the size before; None for the smallest size."""
    sample, scheme, n_train = key
    index = spec.n_train.index(n_train)
    before = (sample, scheme, spec.n_train[index - 1])
    if index == 0 or key not in scores or before not in scores:
        return None
    gained = gain(scores[key], scores[before], n_train, before[2], PER)
    if not gained.seeds:
        return None
    found = estimate(gained)
    return Estimate(mean=found.mean, low=found.low, high=found.high)


def _equivalent(spec: LabelsSpec, scores: Mapping[Key, Scores], key: Key) -> EquivalentTexts | None:
    """Return with how many texts the baseline scores the same; None where a score is missing, or with one size."""
    sample, scheme, n_train = key
    curve = {n: scores[own] for n in spec.n_train if (own := (sample, spec.baseline, n)) in scores}
    if scheme == spec.baseline or key not in scores or n_train not in curve or len(curve) < 2:
        return None
    shared = set(scores[key].seeds).intersection(*(each.seeds for each in curve.values()))
    return EquivalentTexts(**asdict(equivalent(scores[key], n_train, curve))) if shared else None
