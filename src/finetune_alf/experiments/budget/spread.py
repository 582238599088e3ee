"""Variance components over replicates: draws of texts, the search, seeds of fits, and test texts."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from finetune_alf.experiments.budget.analysis import ARMS, Lines, by_sample, score_of, tests_of
from finetune_alf.experiments.budget.arms import PER_LAYER
from finetune_alf.experiments.budget.document import Spread
from finetune_alf.experiments.budget.family import BASELINE, CONTRASTS
from finetune_alf.experiments.budget.line import ReplicateLine, Tested, unpacked
from finetune_alf.stats import Scores, estimate
from finetune_alf.stats.replicates import replicate_mean

Floats = NDArray[np.float64]


def spreads(lines: Lines) -> dict[str, Spread]:
    """Return the components of the baseline, of each arm, and of each contrast under `per_layer - <other>`."""
    draw = _between(lines, BASELINE, None)
    seed, text = _seed(lines, BASELINE, None), _text(lines, BASELINE, None)
    rows = {BASELINE: Spread(draw=draw, search=None, seed=seed, text=text)}
    for arm in ARMS:
        between = _between(lines, arm, None)
        rows[arm] = Spread(
            draw=draw,
            search=None if between is None or draw is None else max(between - draw, 0.0),
            seed=_seed(lines, arm, None),
            text=_text(lines, arm, None),
        )
    for other in CONTRASTS:
        rows[f"{PER_LAYER} - {other}"] = Spread(
            draw=None,
            search=_between(lines, PER_LAYER, other),
            seed=_seed(lines, PER_LAYER, other),
            text=_text(lines, PER_LAYER, other),
        )
    return rows


def _between(lines: Lines, name: str, other: str | None) -> float | None:
    """Return the variance between replicates of a sample, without the part of the seeds of the tests."""

    def value(line: ReplicateLine) -> float:
        return score_of(line, name) - (score_of(line, other) if other else 0.0)

    sd, seed = replicate_mean(by_sample(lines, value)).sd, _seed(lines, name, other)
    if sd is None or seed is None:
        return None
    return max(sd**2 - seed / len(_by_seed(lines[0], name, other)), 0.0)


def _seed(lines: Lines, name: str, other: str | None) -> float | None:
    """Return the mean variance of single fits between seeds; None for one seed, or schedules that cannot be paired."""
    rows = [_by_seed(line, name, other) for line in lines]
    if any(len(row) < 2 for row in rows):
        return None
    return fmean(float(np.var(row, ddof=1)) for row in rows)


def _text(lines: Lines, name: str, other: str | None) -> float | None:
    """Return the variance of a mean over the test texts if other texts had been drawn, averaged over samples."""
    parts = []
    for sample in dict.fromkeys(line.sample for line in lines):
        rows = [_by_text(line, name, other) for line in lines if line.sample == sample]
        present = [row for row in rows if row is not None]
        if len(present) < 2 or len(present) < len(rows):
            return None
        matrix = np.array(present)
        found = estimate(Scores(tuple(range(len(matrix))), matrix.mean(axis=1), (matrix,), (-1.0, 1.0)))
        parts.append(found.components.text / matrix.shape[1])
    return fmean(parts)


def _by_seed(line: ReplicateLine, name: str, other: str | None) -> list[float]:
    own = _scores(tests_of(line, name))
    if other is None:
        return own
    others = _scores(tests_of(line, other))
    return [a - b for a, b in zip(own, others, strict=True)] if len(own) == len(others) else []


def _by_text(line: ReplicateLine, name: str, other: str | None) -> Floats | None:
    """Return the mean of each test text over the fits, or its difference; None where texts have no values."""
    own = _right(line, tests_of(line, name))
    if other is None or own is None:
        return own
    others = _right(line, tests_of(line, other))
    return None if others is None else own - others


def _right(line: ReplicateLine, tests: Sequence[Tested]) -> Floats | None:
    packed = [text for test in tests for text in test.right]
    if len(packed) < sum(len(test.scores) for test in tests):
        return None
    return np.asarray(np.mean([unpacked(text, line.n_test) for text in packed], axis=0))


def _scores(tests: Sequence[Tested]) -> list[float]:
    return [score or 0.0 for test in tests for score in test.scores]
