"""Differences between the curves of two arms, and whether they are within the variation of seeds. Pure.

The criterion was fixed before any fit was run. Two arms are compared at each epoch in each quantity, by the difference
of their means over seeds. It is *within* when both hold:

* it is at most the 95th percentile of the differences between any two single seeds of Trainer (both of its arms);
* an exact permutation test between the two arms' fits has a p of at least .05, after Holm's correction over all epochs
  and quantities of the comparison.

The first asks whether changing the engine has a larger effect than changing the seed. The second is stricter: means of
ten seeds vary less than single seeds. On the same batches, without dropout, losses must agree to `LIMIT`.

The pairs of fp32 and bf16 were added after the first run, where bf16 was within but all its losses were higher; first
ten, then twenty. With the same seed our engine has the same initial head and order of texts in both precisions, so that
differences within pairs vary less.
"""

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from curves_records import PAIRED, QUANTITIES, SAME, SEEDED, Arm
from numpy.typing import NDArray

from finetune_alf.stats import SIGNIFICANCE_LEVEL, holm
from finetune_alf.stats.intervals import CONFIDENCE_LEVEL

COMPARISONS: tuple[tuple[Arm, Arm], ...] = (
    ("trainer-2", "trainer"),
    ("fp32", "trainer"),
    ("bf16", "fp32"),
    ("bf16", "trainer"),
)
"""The arms compared; the first comparison is the reference: Trainer with itself."""

LIMIT = 1e-4
"""The largest difference of losses on the same batches without dropout, in nats a text."""

PERCENTILE = 0.95

Document = Mapping[str, Any]
Matrix = NDArray[np.float64]


def summarise(document: Document) -> dict[str, Any]:
    """Return all comparisons of a complete document."""
    curves = {arm: _curves(document, arm) for arm in SEEDED}
    trainer = {name: np.concatenate([curves["trainer"][name], curves["trainer-2"][name]]) for name in QUANTITIES}
    return {
        "comparisons": [_comparison(one, other, curves, trainer) for one, other in COMPARISONS],
        "same_batches": [_largest_differences(document, arm) for arm in SAME if arm != "same-trainer"],
        "paired": _paired(*(_curves(document, arm) for arm in PAIRED)),
    }


def _curves(document: Document, arm: Arm) -> dict[str, Matrix]:
    """Return an arm's fits, (n_seeds, n_epochs), by quantity."""
    fits = [fit for fit in document["fits"] if fit["arm"] == arm]
    return {name: np.array([fit[name] for fit in fits]) for name in QUANTITIES}


def _comparison(
    one: Arm, other: Arm, curves: Mapping[Arm, Mapping[str, Matrix]], trainer: Mapping[str, Matrix]
) -> dict[str, Any]:
    rows = [
        {"quantity": name, "epoch": epoch + 1}
        | difference(curves[one][name][:, epoch], curves[other][name][:, epoch], trainer[name][:, epoch])
        for name, epoch in _curve_points(trainer)
    ]
    _correct(rows)
    for row in rows:
        row["within"] = bool(abs(row["difference"]) <= row["seeds_95"] and row["p_holm"] >= SIGNIFICANCE_LEVEL)
    return {"of": one, "against": other, "rows": rows, "n_within": sum(row["within"] for row in rows)}


def _curve_points(curves: Mapping[str, Matrix]) -> list[tuple[str, int]]:
    return [(name, epoch) for name, fits in curves.items() for epoch in range(fits.shape[1])]


def _correct(rows: list[dict[str, Any]]) -> None:
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p


def difference(one: Sequence[float] | Matrix, other: Sequence[float] | Matrix, trainer: Matrix) -> dict[str, float]:
    """Return the difference of two arms' means, and the differences between any two single fits of Trainer."""
    a, b = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    differences = [abs(x - y) for x, y in itertools.combinations(trainer.tolist(), 2)]
    low, high = _interval(a, b)
    return {
        "mean": float(a.mean()),
        "reference": float(b.mean()),
        "difference": float(a.mean() - b.mean()),
        "low": low,
        "high": high,
        "seeds_median": float(np.median(differences)),
        "seeds_95": float(np.quantile(differences, PERCENTILE)),
        "p": permutation_p(a, b),
    }


def permutation_p(one: Matrix, other: Matrix) -> float:
    """Return the exact two-sided p of the difference of means, over all ways to divide the values."""
    values = np.concatenate([one, other])
    n, n_one = len(values), len(one)
    sums = values[_divisions(n, n_one)].sum(axis=1)
    differences = np.abs(sums / n_one - (values.sum() - sums) / (n - n_one))
    observed = abs(one.mean() - other.mean())
    return float((differences >= observed - 1e-12).mean())  # equal values may differ by rounding


@functools.cache
def _divisions(n: int, n_one: int) -> NDArray[np.intp]:
    """Return all ways to choose n_one of n, (n choose n_one, n_one)."""
    return np.array(list(itertools.combinations(range(n), n_one)))


def _paired(fp32: Mapping[str, Matrix], bf16: Mapping[str, Matrix]) -> list[dict[str, Any]]:
    """Return the mean difference between bf16 and fp32 with the same seed."""
    rows = [
        {"quantity": name, "epoch": epoch + 1} | paired_difference(bf16[name][:, epoch] - fp32[name][:, epoch])
        for name, epoch in _curve_points(fp32)
    ]
    _correct(rows)
    return rows


def paired_difference(differences: Matrix) -> dict[str, float]:
    """Return the mean of differences within pairs, its 95 % interval by Student's t, and the exact sign-flip p."""
    from scipy.stats import t

    n, mean = len(differences), float(differences.mean())
    half = float(t.ppf((1 + CONFIDENCE_LEVEL) / 2, n - 1) * differences.std(ddof=1) / math.sqrt(n))
    sums = np.zeros(1)  # of all signs, 2**n in the end
    for one in differences:
        sums = np.concatenate([sums + one, sums - one])
    p = float((np.abs(sums) / n >= abs(mean) - 1e-12).mean())
    return {"difference": mean, "low": mean - half, "high": mean + half, "p": p}


def _interval(a: Matrix, b: Matrix) -> tuple[float, float]:
    """Return the 95 % interval of the difference of means, by Welch's t (1947)."""
    from scipy.stats import t

    middle, parts = float(a.mean() - b.mean()), (a.var(ddof=1) / len(a), b.var(ddof=1) / len(b))
    variance = sum(parts)
    if variance == 0:
        return middle, middle
    freedom = variance**2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    half = float(t.ppf((1 + CONFIDENCE_LEVEL) / 2, freedom)) * math.sqrt(variance)
    return middle - half, middle + half


def _largest_differences(document: Document, arm: Arm) -> dict[str, Any]:
    """Return the largest difference between an arm and Trainer over the epochs, on the same batches."""
    reference, mine = (_curves(document, some) for some in ("same-trainer", arm))
    differences = {name: float(np.abs(mine[name] - reference[name]).max()) for name in QUANTITIES}
    within = all(differences[name] <= LIMIT for name in QUANTITIES if name.endswith("loss"))
    return {"of": arm, "difference": differences, "within": within}
