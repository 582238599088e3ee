"""The CPU time of a TPE proposal after so many trials: with all observations copied, and with those that are new.

    python benchmarks/proposals.py

An encoder of twelve layers has 13 params of 7 choices. Both ways make the same proposals. The rest of a proposal is
TPE's own: for each param Optuna goes through all trials to split them and to read their values.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable

from finetune_alf.study.sampler import Observation, StudySampler
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.study.spec import TpeSampler

N_LAYERS = 12
SPACE = ChoicesSpace(rates=(0.0, 5e-9, 5e-8, 5e-7, 5e-6, 5e-5, 1e-4))
N_OBSERVED = (10, 100, 300, 1_000, 3_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="proposals; the middle one counts")
    args = parser.parse_args()
    print("| trials | ms CPU, all copied | ms CPU, new ones added |\n|---|---|---|")
    for n_observed in N_OBSERVED:
        copied, added = times_ms(n_observed, args.repeats)
        print(f"| {n_observed:,} | {copied:.0f} | {added:.0f} |", flush=True)


def times_ms(n_observed: int, n_repeats: int) -> tuple[float, float]:
    """Return the milliseconds of a proposal in both ways."""
    observed = observations(n_observed + n_repeats)
    kept = _sampler()
    kept.suggest(n_observed - 1, observed[: n_observed - 1])
    copied, added = [], []
    for number in range(n_observed, n_observed + n_repeats):
        seen = observed[:number]
        anew, copied_ms = _timed(lambda seen=seen, number=number: _sampler().suggest(number, seen))
        same, added_ms = _timed(lambda seen=seen, number=number: kept.suggest(number, seen))
        if anew != same:
            raise SystemExit(f"proposal {number} differs: {anew} and {same}")
        copied.append(copied_ms)
        added.append(added_ms)
    return statistics.median(copied), statistics.median(added)


def observations(n: int) -> list[Observation]:
    """Return trials with random rates and scores."""
    draw = random.Random(0)  # noqa: S311 - a draw of rates
    names = list(SPACE.param_addresses(N_LAYERS))
    return [Observation({name: draw.choice(SPACE.rates) for name in names}, draw.random()) for _ in range(n)]


def _sampler() -> StudySampler:
    return StudySampler(TpeSampler(), SPACE, N_LAYERS, seed=0)


def _timed(propose: Callable[[], dict[str, float]]) -> tuple[dict[str, float], float]:
    started = time.process_time()
    params = propose()
    return params, 1_000 * (time.process_time() - started)


if __name__ == "__main__":
    main()
