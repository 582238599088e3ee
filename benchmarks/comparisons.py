"""How often intervals cover the truth, and how often equal schemes are called different: simulated, nothing is fitted.

A prediction is right with a probability that depends on its text, its seed and its scheme: the logistic function of a
constant, the text's difficulty and the seed's effect. The difficulties of a text for two schemes correlate by .95. A
seed's effect is given in points of accuracy. A share of .6 of it is common to all schemes, or nothing is.

Every number comes from the package's own functions, for many rounds at once. `tests/benchmarks/` checks the bounds.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from finetune_alf.stats import NO_EVIDENCE, holm, verdict
from finetune_alf.stats.crossed import proportion_ends, t_ends, t_p, variance_of_mean

Floats = NDArray[np.float64]

ACCURACY = 0.85
SD_TEXTS = 2.0  # of the difficulty, in the unit of the logistic function
AGREEMENT = 0.95  # correlation of the difficulty of a text for two schemes
N_SCHEMES = 4  # a reference and three others

SEEDS, TEXTS, SPREADS, SHARED = (5, 10), (72, 500, 2000), (0.005, 0.01, 0.02), (0.6, 0.0)
GAINS = (0.01, 0.02, 0.03)

_VALUES_AT_ONCE = 400_000


@dataclass(frozen=True)
class Setting:
    """Numbers of seeds and texts, the standard deviation of seeds in accuracy, and the share that schemes share."""

    n_seeds: int
    n_texts: int
    sd_seeds: float
    shared: float

    def __str__(self) -> str:
        return f"{self.n_texts:,} texts, {self.n_seeds} seeds, SD {100 * self.sd_seeds:g}, shared {self.shared:g}"


@dataclass(frozen=True)
class Found:
    """Shares over rounds: intervals of one score and of a difference that cover it, and families with a false call."""

    score: float
    difference: float
    family: float


def simulate(setting: Setting, n_rounds: int, gain: float = 0.0, seed: int = 1) -> Iterator[Floats]:
    """Yield 1 for right and 0 for wrong, (rounds, schemes, seeds, texts); the last scheme is better by `gain`."""
    keys = (1e4 * setting.sd_seeds, 1e4 * setting.shared, 1e4 * gain)
    rng = np.random.default_rng([seed, setting.n_seeds, setting.n_texts, *map(round, keys)])
    n, s, unit = setting.n_texts, setting.n_seeds, _points(ACCURACY)
    levels = np.array([*[_logit(ACCURACY)] * (N_SCHEMES - 1), _logit(ACCURACY + gain)], dtype=np.float32)
    size = max(1, _VALUES_AT_ONCE // (N_SCHEMES * s * n))
    for rounds in (min(size, n_rounds - start) for start in range(0, n_rounds, size)):
        common, own = (rng.standard_normal((rounds, k, 1, n), dtype=np.float32) for k in (1, N_SCHEMES))
        difficulty = SD_TEXTS * (np.sqrt(AGREEMENT) * common + np.sqrt(1 - AGREEMENT) * own)
        common, own = (rng.standard_normal((rounds, k, s, 1), dtype=np.float32) for k in (1, N_SCHEMES))
        effect = np.sqrt(setting.shared) * common + np.sqrt(1 - setting.shared) * own
        logits = levels[:, None, None] + difficulty + setting.sd_seeds / unit * effect
        yield (rng.random(logits.shape, dtype=np.float32) < expit(logits.astype(np.float32))).astype(np.float64)


def coverage(setting: Setting, n_rounds: int) -> Found:
    """Return how often intervals cover, and how often one of three equal schemes is called different from a fourth."""
    truth = _accuracy(_logit(ACCURACY), setting.sd_seeds)
    score, difference, family = [], [], []
    for right in simulate(setting, n_rounds):
        single = right[:, 0]
        low, high = proportion_ends(single.mean(axis=(-2, -1)), variance_of_mean(single.mean(axis=-1), [single]))
        score += list((low <= truth) & (truth <= high))
        paired = right[:, 1:] - right[:, :1]
        variance, mean = variance_of_mean(paired.mean(axis=-1), [paired]), paired.mean(axis=(-2, -1))
        low, high = t_ends(mean, variance)
        difference += list(((low <= 0) & (high >= 0)).ravel())
        family += [_is_any_called(means, p) for means, p in zip(mean, t_p(mean, variance), strict=True)]
    return Found(float(np.mean(score)), float(np.mean(difference)), float(np.mean(family)))


def power(setting: Setting, gain: float, n_rounds: int) -> float:
    """Return how often a scheme that is better by `gain` is called better, in a family with two equal ones."""
    called = []
    for right in simulate(setting, n_rounds, gain):
        paired = right[:, 1:] - right[:, :1]
        mean = paired.mean(axis=(-2, -1))
        p = t_p(mean, variance_of_mean(paired.mean(axis=-1), [paired]))
        called += [verdict(means[-1], holm(row)[-1]) == "better" for means, row in zip(mean, p, strict=True)]
    return float(np.mean(called))


def settings(n_seeds: Sequence[int] = SEEDS, shared: Sequence[float] = SHARED) -> list[Setting]:
    """Return all settings of the tables."""
    return [Setting(*each) for each in product(n_seeds, TEXTS, SPREADS, shared)]


def _is_any_called(means: Floats, p: Floats) -> bool:
    return any(verdict(mean, each) != NO_EVIDENCE for mean, each in zip(means, holm(p), strict=True))


@cache
def _nodes() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    return nodes, weights / weights.sum()


@cache
def _logit(accuracy: float) -> float:
    """Return the constant at which the mean over texts is this accuracy."""
    nodes, weights = _nodes()
    return float(brentq(lambda level: weights @ expit(level + SD_TEXTS * nodes) - accuracy, -10, 20))


@cache
def _points(accuracy: float) -> float:
    """Return how much the accuracy rises with the constant."""
    nodes, weights = _nodes()
    right = expit(_logit(accuracy) + SD_TEXTS * nodes)
    return float(weights @ (right * (1 - right)))


def _disagreement() -> float:
    """Return the share of texts of which two fits of a scheme have one right."""
    nodes, weights = _nodes()
    right = expit(_logit(ACCURACY) + SD_TEXTS * nodes)
    return float(2 * weights @ (right * (1 - right)))


def _accuracy(level: float, sd_seeds: float) -> float:
    """Return the mean accuracy over texts and seeds."""
    nodes, weights = _nodes()
    effects = sd_seeds / _points(ACCURACY) * nodes
    return float(weights @ expit(level + SD_TEXTS * nodes[:, None] + effects[None]) @ weights)


def tables(n_seeds: Sequence[int], n_rounds: int) -> Iterator[str]:
    """Yield the tables as Markdown; each column says how much seeds differ, in points."""
    found = {setting: coverage(setting, n_rounds) for setting in settings(n_seeds)}
    spreads = [f"SD {100 * spread:g}" for spread in SPREADS]
    rows = list(product(TEXTS, n_seeds))

    def lines(first: Sequence[str], cells: dict[tuple[int, int], list[str]]) -> str:
        header = ["texts", "seeds", *first]
        body = [[f"{n:,}", str(s), *cells[n, s]] for n, s in rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---:"] * len(header), *body])

    def cells(of: str, shared: Sequence[float]) -> dict[tuple[int, int], list[str]]:
        def cell(n: int, s: int, spread: float) -> str:
            return " / ".join(f"{100 * getattr(found[Setting(s, n, spread, each)], of):.1f}" for each in shared)

        return {(n, s): [cell(n, s, spread) for spread in SPREADS] for n, s in rows}

    yield f"Mean accuracy {ACCURACY:g}; two fits of a scheme disagree on {100 * _disagreement():.0f} % of the texts."
    yield "Intervals of an accuracy that cover it, %:"
    yield lines(spreads, cells("score", SHARED[-1:]))
    yield "Intervals of a difference that cover it, %, seeds shared .6 / not shared:"
    yield lines(spreads, cells("difference", SHARED))
    yield "Families of three comparisons of equal schemes with any false call, %, seeds shared .6 / not shared:"
    yield lines(spreads, cells("family", SHARED))
    yield "A scheme that is 1 / 2 / 3 points better, called better in a family of three, %, seeds shared .6:"
    powers = {}
    for n, s in rows:
        of_setting = [Setting(s, n, spread, SHARED[0]) for spread in SPREADS]
        powers[n, s] = [_powers(each, n_rounds // 4) for each in of_setting]
    yield lines(spreads, powers)


def _powers(setting: Setting, n_rounds: int) -> str:
    return " / ".join(f"{100 * power(setting, gain, n_rounds):.0f}" for gain in GAINS)


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2000, help="of each number; the last table has a quarter of them")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="numbers of seeds")
    asked = parser.parse_args(words)
    started = time.perf_counter()
    for paragraph in tables(asked.seeds, asked.rounds):
        print(f"{paragraph}\n", flush=True)
    print(f"{asked.rounds:,} rounds, {time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
