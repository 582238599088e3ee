"""Measure the time of a study's importance, and what its smaller forests change.

    python benchmarks/importance.py                                            a quarter of an hour on a quiet core
    python benchmarks/importance.py --json importance.json --table importance.md
    python benchmarks/importance.py --read importance.json                     the table again, without a run
    python benchmarks/importance.py --trials 40                                the default study's number alone

Studies are planted: random rates of the default's space, or log-uniform ones, a score to which seven addresses
contribute shares of variance of .76, .12, .06, .06, 0, 0 and 0, and a fifth of it is noise. Three ways are compared:

* full: Optuna's forests of 64 trees of any depth on bootstrap resamples, each rate of a grid a category of its own;
* ordered: the same forests on the position of each rate in the space;
* stage: as the stage `importance` does it, 16 trees with a depth of 8 at most on positions, on halves of the trials,
  and again with shuffled scores.

A way's time is that of a resample by all three evaluators, in seconds of the processor, times the number that it has:
30 for full and ordered, 100 for the stage. Its error is the mean distance of fANOVA's shares from the planted ones, and
`ranks` is the rank correlation of the two.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from scipy.stats import spearmanr

from finetune_alf.files import write_text
from finetune_alf.json_files import read_json, write_json
from finetune_alf.study import importance
from finetune_alf.study.sampler import silence_optuna
from finetune_alf.study.space import AnySpace, ChoicesSpace, LogSpace

SPACES: Mapping[str, AnySpace] = {
    "choices": ChoicesSpace(rates=(0, 5e-9, 5e-8, 5e-7, 5e-6, 5e-5, 1e-4)),
    "log": LogSpace(low=1e-8, high=1e-4),
}
SHARES = (0.76, 0.12, 0.06, 0.06, 0.0, 0.0, 0.0)
NOISE = 0.2
N_RESAMPLES = {"full": 30, "ordered": 30, "stage": 100}
N_LAYERS = len(SHARES) - 1

Document = dict[str, Any]
Array = np.ndarray


@dataclass(frozen=True)
class Planted:
    """A planted study: the position of each rate as a fraction of its range, and scores."""

    space: AnySpace
    units: Array
    scores: Array

    @property
    def names(self) -> list[str]:
        """The params, one for each address."""
        return list(self.space.param_addresses(N_LAYERS))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--read", type=Path, metavar="JSON", help="print the table of this file, without a run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table here")
    parser.add_argument("--trials", type=int, nargs="+", default=[40, 500, 1000])
    parser.add_argument("--seconds", type=float, default=20.0, help="start no further resample of a way after these")
    args = parser.parse_args()
    document = read_json(args.read) if args.read else measure(args.trials, args.seconds)
    if args.json:
        write_json(args.json, document)
    if args.table:
        write_text(args.table, table(document))
    print(table(document))
    return 0


def measure(n_trials: Sequence[int], limit_s: float) -> Document:
    """Time every way on every planted study: one resample or more, and all where they fit the limit."""
    rows = []
    for n in n_trials:
        for kind, space in SPACES.items():
            study = planted(space, n, seed=0)
            for way, resample in WAYS.items():
                if way == "full" and isinstance(space, LogSpace):  # no categories, so that it would be `ordered`
                    continue
                started, shares = time.process_time(), []
                while not shares or (len(shares) < N_RESAMPLES[way] and time.process_time() < started + limit_s):
                    shares.append(resample(study, len(shares)))
                seconds = (time.process_time() - started) / len(shares)
                rows.append(_row(n, kind, way, len(shares), seconds, np.mean(shares, axis=0)))
                print(f"{n} trials, {kind}, {way}: {seconds:.1f} s a resample", file=sys.stderr, flush=True)
    return {"optuna": optuna.__version__, "rows": rows}


def planted(space: AnySpace, n_trials: int, seed: int) -> Planted:
    """Return a study of random rates whose score adds up what the rates of the addresses contribute."""
    rng = np.random.default_rng(seed)
    units = rng.random((n_trials, len(SHARES)))
    if isinstance(space, ChoicesSpace):
        units = (np.floor(units * len(space.rates)) + 0.5) / len(space.rates)
    effects = np.sqrt(12) * (units - 0.5)
    effects[:, 0] = np.where(units[:, 0] > 0.5, 1.0, -1.0)  # a rate that is high enough, and no better if higher
    noise = rng.normal(0, math.sqrt(NOISE / (1 - NOISE)), n_trials)
    return Planted(space, units, effects @ np.sqrt(SHARES) + noise)


def table(document: Document) -> str:
    """Return the page."""
    lines = [
        f"# Time of importance, Optuna {document['optuna']}",
        "",
        "Seconds of one core. Shares are means over the resamples that were timed.",
        "",
        "| trials | space | way | timed | a resample | resamples | in all | share of the first (.76) | error | ranks |",
        "|---:|---|---|---:|---:|---:|---:|---:|---:|---:|",
        *map(_line, document["rows"]),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Document) -> str:
    cells = [f"{row['n_trials']:,}", row["space"], row["way"], row["n_timed"], f"{row['seconds']:.2f} s"]
    cells += [row["n_resamples"], f"{row['seconds'] * row['n_resamples']:,.0f} s", f"{row['shares'][0]:.2f}"]
    cells += [f"{row['error']:.3f}", f"{row['rank_correlation']:.2f}"]
    return f"| {' | '.join(map(str, cells))} |"


def _row(n_trials: int, space: str, way: str, n_timed: int, seconds: float, shares: Array) -> Document:
    return {
        "n_trials": n_trials,
        "space": space,
        "way": way,
        "n_timed": n_timed,
        "n_resamples": N_RESAMPLES[way],
        "seconds": seconds,
        "shares": [float(share) for share in shares],
        "error": float(np.abs(shares - SHARES).mean()),
        "rank_correlation": float(spearmanr(shares, SHARES).statistic),
    }


def _full(study: Planted, index: int) -> Array:
    assert isinstance(study.space, ChoicesSpace)
    rates = study.space.rates
    categories = optuna.distributions.CategoricalDistribution(rates)
    return _optunas(study, index, categories, lambda unit: rates[int(unit * len(rates))])


def _ordered(study: Planted, index: int) -> Array:
    return _optunas(study, index, optuna.distributions.FloatDistribution(0, 1), float)


def _optunas(study: Planted, index: int, distribution: Any, value_at: Callable[[float], float]) -> Array:
    """Return fANOVA's shares of a bootstrap resample, after those of the other evaluators."""
    drawn = np.random.default_rng(index).integers(len(study.scores), size=len(study.scores))
    resample = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler())
    resample.add_trials(
        optuna.create_trial(
            params=dict(zip(study.names, map(value_at, study.units[trial]), strict=True)),
            distributions=dict.fromkeys(study.names, distribution),
            value=float(study.scores[trial]),
        )
        for trial in drawn
    )
    for evaluator in (
        optuna.importance.PedAnovaImportanceEvaluator(),
        optuna.importance.MeanDecreaseImpurityImportanceEvaluator(seed=index),
        optuna.importance.FanovaImportanceEvaluator(seed=index),
    ):
        by_name = optuna.importance.get_param_importances(resample, evaluator=evaluator)
    return np.array([by_name[name] for name in study.names])


def _stage(study: Planted, index: int) -> Array:
    """Return fANOVA's shares of a half of the trials, after those of the other evaluators and of shuffled scores."""
    low, high = study.space.position_range
    trials = importance.PlacedTrials(low + study.units * (high - low), study.scores)
    shares, _ = importance.resampled_shares(trials, study.space, study.names, seed=0, index=index)
    return shares["fanova"]


WAYS: Mapping[str, Callable[[Planted, int], Array]] = {"full": _full, "ordered": _ordered, "stage": _stage}

if __name__ == "__main__":
    silence_optuna()
    sys.exit(main())
