"""Scores of several fits on the same texts, with the part that each text has in them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finetune_alf.errors import InputError
from finetune_alf.stats.intervals import Floats, as_matrix
from finetune_alf.stats.weighted import Labels, WeightedMetric

MAX_UNITS = 2000
"""More texts than this are left out in groups by the jackknife; so many groups have the precision of single texts."""

_MAX_WEIGHTS = 2_000_000  # text weights at a time: 16 MB, and as much again for each step of a metric


class ScoredMetric(Protocol):
    """What scores need of a metric; a `metrics.Metric` has it."""

    @property
    def weighted(self) -> WeightedMetric:
        """The metric under many weight vectors at once."""
        ...

    @property
    def is_correct(self) -> Callable[[Labels, Labels], Labels] | None:
        """For a metric that is a mean over texts: whether each text's prediction is correct."""
        ...

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value that the metric can have."""
        ...


@dataclass(frozen=True)
class Scores:
    """The scores of fits on the same texts, or any linear combination of such scores.

    `by_seed` is (n_seeds,), in the order of `seeds`. `by_text` has an array (n_seeds, n_texts) for each set of texts,
    one for each task: the score that a text stands for, as its pseudo-value (Tukey 1958) says. For a mean over texts
    that is the value of the text itself, such as 0 or 1 of an accuracy. `bounds` are the lowest and the highest value
    possible. `is_proportion`: the values of texts are 0 and 1.
    """

    seeds: tuple[int, ...]
    by_seed: Floats
    by_text: tuple[Floats, ...]
    bounds: tuple[float, float]
    is_proportion: bool = False

    def __sub__(self, other: "Scores") -> "Scores":
        """Return the differences on the same texts, over the seeds that both have. InputError for other texts."""
        if [part.shape[1] for part in self.by_text] != [part.shape[1] for part in other.by_text]:
            sizes = " and ".join(str([part.shape[1] for part in each.by_text]) for each in (self, other))
            raise InputError(f"scores: must be on the same texts, but got {sizes} of them.")
        shared = [seed for seed in self.seeds if seed in other.seeds]
        a, b = self.of(shared), other.of(shared)
        return Scores(
            tuple(shared),
            a.by_seed - b.by_seed,
            tuple(ours - theirs for ours, theirs in zip(a.by_text, b.by_text, strict=True)),
            (a.bounds[0] - b.bounds[1], a.bounds[1] - b.bounds[0]),
        )

    def __mul__(self, factor: float) -> "Scores":
        """Return the scores times a factor that is not negative."""
        low, high = self.bounds
        parts = tuple(part * factor for part in self.by_text)
        return Scores(self.seeds, self.by_seed * factor, parts, (low * factor, high * factor))

    def of(self, seeds: list[int]) -> "Scores":
        """Return the scores of these seeds, in this order."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return replace(
            self, seeds=tuple(seeds), by_seed=self.by_seed[rows], by_text=tuple(part[rows] for part in self.by_text)
        )


def scores_of(metric: ScoredMetric, truth: ArrayLike, predicted: Mapping[int, ArrayLike]) -> Scores:
    """Return the scores of fits by a metric; `truth` is (n_texts,), and so are the predictions of each seed.

    Where labels are sets of classes all are (n_texts, classes), of 0 and 1.
    """
    labels, predictions = _checked(truth, list(predicted.values()))
    if metric.is_correct is not None:
        correct = np.asarray(metric.is_correct(labels, predictions), dtype=np.float64)
        return Scores(tuple(predicted), correct.mean(axis=1), (correct,), metric.bounds, is_proportion=True)
    rows = [_jackknifed(metric.weighted, labels, row) for row in predictions]
    by_seed, by_text = np.array([score for score, _ in rows]), np.stack([parts for _, parts in rows])
    return Scores(tuple(predicted), by_seed, (by_text,), metric.bounds)


def combined_scores(by_task: Mapping[str, Scores], combine: Callable[[Mapping[str, float]], float]) -> Scores:
    """Return the overall scores of several tasks, made by `combine`, which rises with each; all have the same seeds.

    The part of a text in the overall score is its pseudo-value, too: the text is left out of its task.
    """
    first = next(iter(by_task.values()))
    by_seed = [
        {task: float(scores.by_seed[row]) for task, scores in by_task.items()} for row in range(len(first.seeds))
    ]
    overall = np.array([combine(scores) for scores in by_seed])

    def parts(task: str) -> Floats:
        (pseudo_values,) = by_task[task].by_text
        n_units = pseudo_values.shape[1]
        left_out = (n_units * by_task[task].by_seed[:, None] - pseudo_values) / (n_units - 1)
        without = [[combine({**s, task: v}) for v in row] for s, row in zip(by_seed, left_out.tolist(), strict=True)]
        return np.asarray(n_units * overall[:, None] - (n_units - 1) * np.array(without))

    bounds = [combine({task: scores.bounds[end] for task, scores in by_task.items()}) for end in (0, 1)]
    return Scores(first.seeds, overall, tuple(map(parts, by_task)), (bounds[0], bounds[1]))


def _jackknifed(weighted: WeightedMetric, truth: Labels, predicted: Labels) -> tuple[float, Floats]:
    """Return a metric, and the pseudo-value of each text, or of each group of texts where there are many.

    Predictions that are equal, of equal labels, are counted, so that classes need few weights.
    """
    pairs, pair_of = np.unique(np.stack([truth, predicted], axis=1), axis=0, return_inverse=True)
    counts = np.bincount(pair_of.ravel()).astype(np.float64)
    unit_of = _units(len(truth))
    n_units = int(unit_of[-1]) + 1
    score = float(weighted(pairs[:, 0], pairs[:, 1], counts[None])[0])
    size = max(1, _MAX_WEIGHTS // len(pairs))
    left_out = []
    for start in range(0, n_units, size):
        weights = np.tile(counts, (min(size, n_units - start), 1))
        inside = (unit_of >= start) & (unit_of < start + size)
        np.subtract.at(weights, (unit_of[inside] - start, pair_of.ravel()[inside]), 1.0)
        left_out.append(weighted(pairs[:, 0], pairs[:, 1], weights))
    return score, np.asarray(n_units * score - (n_units - 1) * np.concatenate(left_out))


def _units(n_texts: int) -> NDArray[np.intp]:
    """Return the number of the group that each text is left out with; a few of the groups have a text less."""
    n_units = -(-n_texts // -(-n_texts // MAX_UNITS))
    return np.repeat(np.arange(n_units), [len(each) for each in np.array_split(np.arange(n_texts), n_units)])


def _checked(truth: ArrayLike, predicted: Sequence[ArrayLike]) -> tuple[Labels, Labels]:
    true, rows = np.asarray(truth), [np.asarray(row) for row in predicted]
    labels = as_matrix([true.ravel()])[0].reshape(true.shape)
    predictions = as_matrix([row.ravel() for row in rows]).reshape(len(rows), *rows[0].shape)
    if len(labels) < 2:
        raise InputError("truth: must be of two texts or more, since one says nothing of others, but got 1 text.")
    if predictions.shape[1:] != labels.shape:
        raise InputError(
            f"predicted: must have one column for each of the {len(labels)} texts, but got shape {predictions.shape}."
        )
    return labels, predictions
