"""Count the directions of importance that a study finds where there are none.

    python benchmarks/directions.py                    several minutes on a quiet core
    python benchmarks/directions.py --studies 100 --trials 20

Planted studies of seven addresses over the default's rates: the first carries .61 of the score's variance, the second
.19, noise .2, and five nothing. The test that the page shows for random and quasi-random rates is done for TPE as well,
where the page does not show it. `false`: studies in which one of the five is given a direction, after Holm's
correction; `found`: studies in which the first is.
"""

import argparse
import math
import sys
from collections.abc import Sequence

import numpy as np

from finetune_alf.stats import SIGNIFICANCE_LEVEL
from finetune_alf.study.direction import directions
from finetune_alf.study.sampler import Observation, suggest
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.study.spec import AnySampler, QmcSampler, RandomSampler, TpeSampler

SPACE = ChoicesSpace(rates=(0.0, 5e-9, 5e-8, 5e-7, 5e-6, 5e-5, 1e-4))
N_LAYERS = 6
NAMES = tuple(SPACE.param_addresses(N_LAYERS))
N_WITH_EFFECT = 2
SAMPLERS: tuple[AnySampler, ...] = (RandomSampler(), QmcSampler(), TpeSampler())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--trials", type=int, nargs="+", default=[20, 40])
    args = parser.parse_args()
    print("| sampler | trials | studies | false | found |\n|---|---:|---:|---:|---:|")
    for sampler in SAMPLERS:
        for n_trials in args.trials:
            print(row(sampler, n_trials, args.studies), flush=True)
    return 0


def row(sampler: AnySampler, n_trials: int, n_studies: int) -> str:
    """Return the line of a sampler."""
    n_false = n_found = 0
    for seed in range(n_studies):
        called = directed(planted(sampler, n_trials, seed), seed)
        n_found += called[0]
        n_false += any(called[N_WITH_EFFECT:])
    shown = f"{n_false / n_studies:.1%} | {n_found / n_studies:.0%}"
    return f"| {sampler.kind} | {n_trials} | {n_studies} | {shown} |"


def planted(sampler: AnySampler, n_trials: int, seed: int) -> list[Observation]:
    """Return the trials of a planted study."""
    rng = np.random.default_rng(seed)
    observed: list[Observation] = []
    for number in range(n_trials):
        params = suggest(sampler, SPACE, N_LAYERS, observed, seed, number)
        first, second = ((SPACE.position(params[name]) - 3) / 2 for name in NAMES[:N_WITH_EFFECT])  # SD 1
        score = math.sqrt(0.76) * first - math.sqrt(0.24) * second + rng.normal(0, 0.5)
        observed.append(Observation(params, score))
    return observed


def directed(observed: Sequence[Observation], seed: int) -> list[bool]:
    """Return of which addresses the test finds a direction."""
    found = directions(observed, NAMES, RandomSampler(), seed)
    p_values = [found[name].p_holm for name in NAMES]
    return [p is not None and p < SIGNIFICANCE_LEVEL for p in p_values]


if __name__ == "__main__":
    sys.exit(main())
