"""How often a budget calls equal searches different, and what it finds: simulated, nothing is fitted.

A response table stands for the fits of a replicate: the true score of what each arm selected is that of its sample, the
draw's effect, which arms share, the arm's own effect, and its gain. A share of replicates has one winner in all arms,
most often the baseline: their differences are 0, and so are those of a uniform winner from its permutations. A test is
the mean of a few seeds, right on a whole number of test texts. Spreads are given in points of accuracy.

The contrasts come from the package's own functions. `tests/benchmarks/` checks the bounds.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune_alf.stats.replicates import contrasts, sign_flip_p

Floats = NDArray[np.float64]

ACCURACY, N_SEEDS, N_TEXTS = 0.78, 3, 800
SD_DRAW, SD_SEED = 0.02, 0.01
MARGIN = 0.01
OTHERS = ("single_rate", "decayed", "permuted")

N_SAMPLES, REPLICATES, SPREADS, SAME = 4, (3, 6, 8), (0.01, 0.02, 0.03), (0.0, 0.3)
GAINS = (0.01, 0.02, 0.03)


@dataclass(frozen=True)
class Setting:
    """Replicates of each sample, the spread of an arm's own effect, the share of replicates with one winner."""

    n_replicates: int
    sd_arm: float
    same: float
    heavy: bool = False

    def __str__(self) -> str:
        tails = ", heavy tails" if self.heavy else ""
        return f"{self.n_replicates} a sample, SD {100 * self.sd_arm:g}, same winner {self.same:g}{tails}"


@dataclass(frozen=True)
class Found:
    """Shares of studies: with a false or true call in any contrast and in the first, with the first called equivalent.

    `smallest` is the mean of the smallest difference that is told.
    """

    any_call: float
    first_call: float
    equivalent: float
    smallest: float


def study(setting: Setting, gain: float, rng: np.random.Generator) -> dict[str, dict[str, Floats]]:
    """Return the differences of the search over layers, better by `gain`, from each other arm, by sample.

    The gain is the mean over all replicates, those with one winner included.
    """
    shape = (N_SAMPLES, setting.n_replicates)
    own = rng.standard_t(4, (1 + len(OTHERS), *shape)) / np.sqrt(2) if setting.heavy else rng.normal(size=(4, *shape))
    true = ACCURACY + SD_DRAW * rng.normal(size=shape) + setting.sd_arm * own
    true[0] += gain / (1 - setting.same)
    seeds = true[..., None] + SD_SEED * rng.normal(size=(*true.shape, N_SEEDS))
    tested = rng.binomial(N_TEXTS, np.clip(seeds, 0, 1)).mean(axis=-1) / N_TEXTS
    is_same = rng.random(shape) < setting.same
    differences = np.where(is_same, 0.0, tested[0] - tested[1:])
    return {
        other: {str(sample): own for sample, own in enumerate(rows)}
        for other, rows in zip(OTHERS, differences, strict=True)
    }


def simulate(setting: Setting, n_studies: int, gain: float = 0.0, seed: int = 1) -> Found:
    """Return how often studies call contrasts different; with a gain, the search over layers is better by it."""
    rng = np.random.default_rng([seed, setting.n_replicates, round(1e4 * setting.sd_arm), round(10 * setting.same)])
    found = [contrasts(study(setting, gain, rng), MARGIN) for _ in range(n_studies)]
    calls = np.array([[contrast.p_holm < 0.05 for contrast in one.values()] for one in found])
    return Found(
        float(calls.any(axis=1).mean()),
        float(calls[:, 0].mean()),
        float(np.mean([one[OTHERS[0]].p_equivalence_holm < 0.05 for one in found])),
        float(np.mean([one[OTHERS[0]].smallest for one in found])),
    )


def power(setting: Setting, gain: float, n_studies: int) -> float:
    """Return how often a contrast with this gain is called, at the strictest level of the family."""
    rng = np.random.default_rng([2, setting.n_replicates])
    p_values = [sign_flip_p(study(setting, gain, rng)[OTHERS[0]]) for _ in range(n_studies)]
    return float(np.mean(np.array(p_values) < 0.05 / len(OTHERS)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables of docs/method.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies for each number")
    parser.add_argument("--replicates", type=int, nargs="+", default=REPLICATES, help="of each sample")
    asked = parser.parse_args(arguments)
    n_studies = asked.studies
    print(f"In % of {n_studies} studies of {N_SAMPLES} samples, three contrasts each:")
    settings = [Setting(n, sd, same) for n in asked.replicates for sd in SPREADS for same in SAME]
    for setting in [*settings, *(Setting(n, 0.02, 0.3, heavy=True) for n in asked.replicates)]:
        equal = simulate(setting, n_studies)
        gains = " ".join(f"{100 * simulate(setting, n_studies, gain).first_call:3.0f}" for gain in GAINS)
        print(
            f"{setting!s}: false {100 * equal.any_call:.1f}; no practical difference {100 * equal.equivalent:.0f}; "
            f"found +1/+2/+3 points {gains}; smallest told "
            f"{100 * equal.smallest:.1f}, found {100 * power(setting, equal.smallest, n_studies):.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
