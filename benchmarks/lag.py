"""What a lag costs: the best score so far of TPE whose trial n sees the results of trials up to n - lag.

    python benchmarks/lag.py                    24 seeds of 40 trials: some minutes
    python benchmarks/lag.py --seeds 5 --trials 20 --json lag.json

No fit is done. Scores are looked up in two tables over the rates of an encoder with six layers:

* planted: a function of the rates, as in `pruners.py`, whose best score is 1.
* recorded: the forest that fits 72 fits of MiniLM on SST-2 best, those of `docs/results/budget/small.jsonl` with a rate
  for each address or one for all. A table made of a model of recorded results is a surrogate benchmark (Eggensperger et
  al. 2015, "Efficient benchmarking of hyperparameter optimizers via surrogates").

All lags have the same seeds, so that differences are paired. Random search stands beside them.
"""

import argparse
import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from pruners import RATES, planted_scores
from sklearn.ensemble import RandomForestRegressor

from finetune_alf.study.sampler import Observation, StudySampler
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.study.spec import AnySampler, RandomSampler, TpeSampler, n_seen_by

N_LAYERS = 6
LAGS = (1, 2, 4, 8, 16)
SPACE = ChoicesSpace(rates=RATES)
RECORDED = Path(__file__).parent.parent / "docs/results/budget/small.jsonl"

Score = Callable[[Sequence[float]], float]
"""The score of the rates of embeddings and layers."""


def planted(rates: Sequence[float]) -> float:
    """Return the planted score after the last epoch."""
    return planted_scores(rates)[-1]


def recorded() -> Score:
    """Return the forest of recorded fits."""
    (line,) = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    fits = [
        (list(rates) if len(rates) > 1 else list(rates) * (N_LAYERS + 1), score)
        for arm in ("per_layer", "random", "single_rate")
        for rates, score in zip(*(line["arms"][arm]["search"][key] for key in ("params", "validation")), strict=True)
    ]
    forest = RandomForestRegressor(n_estimators=30, min_samples_leaf=2, random_state=0)
    forest.fit([_positions(rates) for rates, _ in fits], [score for _, score in fits])
    known: dict[tuple[float, ...], float] = {}

    def score(rates: Sequence[float]) -> float:
        key = tuple(rates)
        if key not in known:
            known[key] = float(forest.predict(np.array([_positions(rates)]))[0])
        return known[key]

    return score


def best_so_far(score: Score, sampler: AnySampler, seed: int, n_trials: int) -> list[float]:
    """Return the best score after each trial."""
    suggestions = StudySampler(sampler, SPACE, N_LAYERS, seed)
    observed: list[Observation] = []
    for number in range(n_trials):
        params = suggestions.suggest(number, observed[: n_seen_by(number, sampler.lag)])
        observed.append(Observation(params, score(list(params.values()))))
    return np.maximum.accumulate([each.score for each in observed]).tolist()


def table(runs: Sequence[Mapping[str, Any]], n_trials: int) -> str:
    """Return the mean best scores of each sampler, and the paired differences from a lag of 1, with standard errors."""
    after = (n_trials // 2, n_trials)
    names = ["planted", "recorded"]
    head = [f"{name}, {n} trials | less than at lag 1" for name, n in product(names, after)]
    lines = ["| lag | " + " | ".join(head) + " |", "|---" * (2 * len(head) + 1) + "|"]
    by_key = {(run["table"], run["sampler"], run["seed"]): run["best"] for run in runs}
    seeds = sorted({run["seed"] for run in runs})
    for sampler in [*map(str, LAGS), "random"]:
        cells = []
        for name, n in product(names, after):
            best = [by_key[name, sampler, seed][n - 1] for seed in seeds]
            less = [by_key[name, "1", seed][n - 1] - one for seed, one in zip(seeds, best, strict=True)]
            cells += [f"{statistics.fmean(best):.3f}", "" if sampler == "1" else _with_error(less)]
        lines.append(f"| {sampler} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_error(values: Sequence[float]) -> str:
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{statistics.fmean(values):.3f} ± {error:.3f}"


def _positions(rates: Sequence[float]) -> list[float]:
    return [SPACE.position(rate) for rate in rates]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=24)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    args = parser.parse_args()
    samplers: dict[str, AnySampler] = {str(lag): TpeSampler(lag=lag) for lag in LAGS} | {"random": RandomSampler()}
    runs = [
        {"table": name, "sampler": label, "seed": seed, "best": best_so_far(score, sampler, seed, args.trials)}
        for name, score in (("planted", planted), ("recorded", recorded()))
        for label, sampler in samplers.items()
        for seed in range(args.seeds)
    ]
    if args.json:
        args.json.write_text(json.dumps(runs) + "\n")
    print(table(runs, args.trials))


if __name__ == "__main__":
    main()
