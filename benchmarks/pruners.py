"""Compare the best scores of studies with and without a pruner, of this package and of stock Optuna.

    python benchmarks/pruners.py                    10 seeds of 60 trials each: some minutes
    python benchmarks/pruners.py --seeds 3 --trials 40 --json pruners.json

No fit is done: the score of each epoch is planted, a function of the rates. So both sides see the same objective, and
only what the sampler is told of pruned trials differs. Ours is a whole study with its coordinator and database; stock
Optuna is `study.optimize` with `trial.report`, `trial.should_prune` and `TrialPruned`, and the same sampler and pruner.
"""

import argparse
import json
import math
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna

from finetune_alf.compute import Environment
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.execute import SerialExecutor
from finetune_alf.jobs.job import FitJob
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.study.coordinator import run_study
from finetune_alf.study.sampler import silence_optuna
from finetune_alf.study.spec import StudySpec
from finetune_alf.train.result import EpochMetrics, FitResult

N_LAYERS = 6
N_EPOCHS = 8
RATES = (0.0, 5e-9, 5e-8, 5e-7, 5e-6, 5e-5, 1e-4)
N_STARTUP_TRIALS = 10
PRUNERS: Mapping[str, optuna.pruners.BasePruner] = {
    "none": optuna.pruners.NopPruner(),
    "median": optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
    "successive_halving": optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
}
"""As `studies.<name>.pruner` makes them by default; epochs are counted from 1."""

ENVIRONMENT = Environment(device="cpu", precision="fp32", n_threads=1, git_commit=None, versions={})


def planted_scores(rates: Sequence[float]) -> list[float]:
    """Return the score after each epoch: each address has a best rate, and low rates learn late.

    `rates` are those of the embeddings and of the layers. The best last score is 1.
    """
    steps = [RATES.index(rate) for rate in rates]
    best = [0, 1, 2, 3, 4, 5, 5]
    loss = sum(
        abs(step - wanted) ** 1.5 * (1 + 0.5 * (index % 3))
        for index, (step, wanted) in enumerate(zip(steps, best, strict=True))
    )
    last = 1 / (1 + loss / 25)
    speed = 0.25 + 0.15 * statistics.fmean(steps)
    return [
        last * (1 - math.exp(-speed * epoch)) / (1 - math.exp(-speed * N_EPOCHS)) for epoch in range(1, N_EPOCHS + 1)
    ]


class PlantedFit:
    """Work that reports planted scores, and counts the epochs."""

    def __init__(self) -> None:
        self.n_epochs = 0

    def __call__(self, job: FitJob, report: Callable[[EpochMetrics], bool]) -> FitResult:
        """Report the planted epochs until the pruner says no."""
        rates = job.recipe.rates.at(N_LAYERS)
        epochs: list[EpochMetrics] = []
        for epoch, score in enumerate(planted_scores(_body(rates))):
            self.n_epochs += 1
            epochs.append(_epoch(epoch, score))
            if not report(epochs[-1]):
                return _result(epochs, None)
        return _result(epochs, epochs[-1].validation_score)


def ours(pruner: str, seed: int, n_trials: int) -> tuple[float, int]:
    """Return the best score of a study of this package, and its epochs."""
    fit = PlantedFit()
    with tempfile.TemporaryDirectory() as root:
        result = run_study(
            "planted",
            _spec(pruner, seed, n_trials),
            sample=SampleIdentity(name="planted", digest="00" * 32),
            encoder=EncoderIdentity(name="planted", identity="planted", n_layers=N_LAYERS),
            encoder_spec=RandomEncoder.model_validate_json(
                '{"kind": "random", "config": {"model_type": "bert"}, "seed": 0}'
            ),
            environment=ENVIRONMENT,
            executor=SerialExecutor(),
            work=fit,
            paths=Paths(Path(root)),
        )
    return result.best.score or 0.0, fit.n_epochs


def stock(pruner: str, seed: int, n_trials: int) -> tuple[float, int]:
    """Return the best score of a study of stock Optuna, and its epochs."""
    n_epochs = 0

    def objective(trial: optuna.Trial) -> float:
        nonlocal n_epochs
        scores = planted_scores(
            [float(trial.suggest_categorical(f"rates.{index}", RATES)) for index in range(N_LAYERS + 1)]
        )
        for epoch, score in enumerate(scores, start=1):
            n_epochs += 1
            trial.report(score, step=epoch)
            if epoch < N_EPOCHS and trial.should_prune():
                raise optuna.TrialPruned
        return scores[-1]

    silence_optuna()
    sampler = optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=N_STARTUP_TRIALS, multivariate=False, constant_liar=False
    )
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=PRUNERS[pruner])
    study.optimize(objective, n_trials=n_trials)
    return study.best_value, n_epochs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    args = parser.parse_args()
    runs = [
        {"side": side.__name__, "pruner": pruner, "seed": seed, "best": best, "n_epochs": n_epochs}
        for seed in range(args.seeds)
        for side in (ours, stock)
        for pruner in PRUNERS
        for best, n_epochs in [side(pruner, seed, args.trials)]
    ]
    if args.json:
        args.json.write_text(json.dumps(runs, indent=1) + "\n")
    print(table(runs))


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the mean best score of each side and pruner, its standard error over seeds, and the mean epochs."""
    lines = ["| pruner | ours | epochs | stock Optuna | epochs |", "|---|---|---|---|---|"]
    for pruner in PRUNERS:
        cells = [
            _cell([run for run in runs if (run["side"], run["pruner"]) == (side, pruner)]) for side in ("ours", "stock")
        ]
        lines.append(f"| {pruner} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(runs: Sequence[Mapping[str, Any]]) -> str:
    scores = [run["best"] for run in runs]
    error = statistics.stdev(scores) / math.sqrt(len(scores)) if len(scores) > 1 else math.nan
    return f"{statistics.fmean(scores):.3f} ± {error:.3f} | {statistics.fmean(run['n_epochs'] for run in runs):.0f}"


def _spec(pruner: str, seed: int, n_trials: int) -> StudySpec:
    fields = {
        "encoder": "planted",
        "sample": "planted",
        "space": {"kind": "choices", "rates": RATES},
        "sampler": {"kind": "tpe", "n_startup_trials": N_STARTUP_TRIALS},
        "pruner": None if pruner == "none" else pruner,
        "recipe": {
            "rates": {"kind": "uniform", "rate": 5e-5, "head": 1e-3},
            "epochs": N_EPOCHS,
            "batch": 8,
            "max_tokens": 48,
        },
        "n_trials": n_trials,
        "seed": seed,
    }
    return StudySpec.model_validate_json(json.dumps(fields))


def _body(rates: LayerRates) -> list[float]:
    return [rates["embeddings"], *rates.layers]


def _epoch(epoch: int, score: float) -> EpochMetrics:
    return EpochMetrics(
        epoch=epoch,
        train_loss=0.0,
        validation_loss=0.0,
        validation_accuracy=score,
        validation_score=score,
        seconds=0.0,
        ended_ms=0,
    )


def _result(epochs: Sequence[EpochMetrics], score: float | None) -> FitResult:
    return FitResult(
        epochs=tuple(epochs),
        kept_epoch=len(epochs) - 1,
        score=score,
        accuracy=score,
        balanced_accuracy=score,
        loss=0.0,
        predictions=(),
        stopped="pruned" if score is None else "epochs",
        seconds=0.0,
        n_steps=0,
        n_trainable_parameters=0,
        started_ms=0,
    )


if __name__ == "__main__":
    main()
