"""A small tree of results, as the stages write them: every number on the page can be looked up here."""

from pathlib import Path
from typing import Any

from fake_comparisons import compared
from fake_locks import fake_candidate, fake_lock, too_few
from finetune_alf.comparison import ComparedDifference
from finetune_alf.json_files import write_json, write_jsonl
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.register.lock import LockDocument

GRID = (0.0, 2e-9, 5e-8, 5e-7, 5e-6, 5e-5)
ADDRESSES = ("embeddings", "layer.0", "layer.1", "layer.2")
DIGEST = "0123456789ab" + "c" * 52
RECIPE: dict[str, Any] = {
    "rates": {"kind": "uniform", "rate": 5e-5, "head": 1e-3},
    "epochs": 4,
    "batch": 8,
    "max_tokens": 48,
}
ENVIRONMENT: dict[str, Any] = {
    "device": "cpu",
    "precision": "fp32",
    "n_threads": 1,
    "micro_batch": None,
    "git_commit": None,
    "versions": {"finetune_alf": "0.1.0", "torch": "2.13.0", "optuna": None},
}
SCORES = (0.72, 0.64, None, 0.81, 0.77, 0.69)
"""Validation accuracy by trial; trial 2 failed, trial 3 is the best, trial 0 has the baseline's rates."""


def rates_of(number: int) -> dict[str, float]:
    """Return a trial's rates; trial 0 has the baseline's."""
    searched = [5e-5] * 4 if number == 0 else [GRID[(number * 2 + place) % len(GRID)] for place in range(4)]
    return dict(zip(ADDRESSES, searched, strict=True)) | {"head": 1e-3}


def epochs(quality: float) -> list[dict[str, Any]]:
    return [
        {
            "epoch": epoch,
            "train_loss": 0.7 - quality * 0.1 * epoch,
            "validation_loss": 0.7 - quality * 0.05 * epoch,
            "validation_accuracy": 0.5 + quality * 0.09 * epoch,
            "seconds": 1.25,
            "ended_ms": 1_000 * epoch,
        }
        for epoch in range(4)
    ]


def trial(
    number: int,
    score: float | None,
    *,
    rates: dict[str, float] | None = None,
    own_epochs: list[dict[str, Any]] | None = None,
    n_texts: int = 100,
    seconds: float = 5.0,
    n_parameters: int = 1000,
    reason: str = "diverged | after 2 epochs",
) -> dict[str, Any]:
    """Return a trial as the study writes it; one without a score failed for this reason."""
    started_ms = round(1000 * seconds) * number
    result = {
        "epochs": own_epochs or epochs(score or 0),
        "kept_epoch": 3,
        "score": score,
        "accuracy": score,
        "balanced_accuracy": score,
        "loss": 0.5,
        "predictions": [0, 1] * (n_texts // 2),
        "stopped": "epochs",
        "seconds": seconds,
        "n_steps": 32,
        "n_trainable_parameters": n_parameters,
        "started_ms": started_ms,
    }
    return {
        "number": number,
        "state": "failed" if score is None else "complete",
        "rates": rates or rates_of(number),
        "score": score,
        "reason": reason if score is None else None,
        "started_ms": started_ms,
        "ended_ms": started_ms + round(1000 * seconds),
        "environment": ENVIRONMENT,
        "result": None if score is None else result,
    }


def write_trials(paths: Paths, name: str, trials: list[dict[str, Any]], best: int, **settings: Any) -> None:
    """Write the results of a study with these trials, some of its settings given."""
    folder, found = paths.study_results(name), trials[best]
    write_jsonl(folder / "trials.jsonl", trials)
    write_json(folder / "best.json", {"number": best, "score": found["score"], "rates": found["rates"]})
    usual = {
        "name": name,
        "digest": DIGEST,
        "metric": "accuracy",
        "sampler": {"kind": "tpe", "n_startup_trials": 10},
        "pruner": None,
        "seed": 1,
        "enqueue": ["baseline"],
        "recipe": RECIPE,
        "n_trials": len(trials),
        "n_fused": 1,
        "seconds": 725.0,
    }
    write_json(folder / "study.json", usual | settings)


def write_study(paths: Paths, name: str = "minilm", identity: str = "sentence-encoder@1.0:53aa") -> None:
    trials = [trial(number, score) for number, score in enumerate(SCORES)]
    write_trials(
        paths,
        name,
        trials,
        best=3,
        encoder={"name": "tiny", "identity": identity, "n_layers": 3},
        sample={"name": "films", "digest": DIGEST},
        space={"kind": "choices", "rates": list(GRID), "blocks": None},
        n_workers=2,
        environments=[
            {"environment": ENVIRONMENT, "n_fits": 4},
            {"environment": ENVIRONMENT | {"device": "cuda:0", "precision": "bf16"}, "n_fits": 2},
        ],
    )


def write_importance(
    paths: Paths, name: str = "minilm", *, agree: bool = False, p_values: tuple[float | None, ...] = (None,) * 4
) -> None:
    def shares(first: int) -> dict[str, dict[str, float]]:
        means = [0.55 if place == first else 0.15 for place in range(4)]
        counts = [66 if place == first else 20 - place for place in range(4)]
        return {
            a: {"mean": m, "low": m / 2, "high": m * 1.5, "n_first": n, "shuffled_mean": 0.25, "shuffled_high": 0.4}
            for a, m, n in zip(ADDRESSES, means, counts, strict=True)
        }

    directions = zip(ADDRESSES, (-0.4, 0.1, 0.6, 0.0), p_values, strict=True)
    write_json(
        paths.importance(name),
        {
            "study": name,
            "n_trials": 5,
            "n_resamples": 100,
            "n_per_resample": 2,
            "n_trees": 16,
            "max_depth": 8,
            "evaluators": {"fanova": shares(2), "mdi": shares(2), "ped_anova": shares(2 if agree else 0)},
            "n_tested": 4,
            "direction": {a: {"rho": rho, "p_holm": p} for a, rho, p in directions},
            "blocks": {"embeddings": ["embeddings", "layer.3"]},
        },
    )


def write_lock(paths: Paths, name: str = "minilm", **given: Any) -> None:
    """Write a lock file, some of its fields `given`."""
    candidates = [
        fake_candidate(
            number,
            LayerRates(rates_of(number)),
            scores,
            search_score=SCORES[number],
            distance=distance,
            from_baseline=too_few(mean - 0.74),
            from_single_rate=too_few(mean - 0.75),
        )
        for number, mean, scores, distance in ((3, 0.755, (0.76, 0.75), 0.0), (4, 0.74, (0.73, 0.75), 2.25))
    ]
    fake_lock(name, candidates, **given).write(paths.schedules(name))


def compared_lock(
    from_baseline: ComparedDifference | None, from_single_rate: float = 0.05, optimism: float = 0.01
) -> LockDocument:
    """Return a lock file of trials 3 and 4 with these differences from both references."""
    candidates = [
        fake_candidate(
            number,
            LayerRates(rates_of(number)),
            (0.8, 0.8),
            from_baseline=from_baseline,
            from_single_rate=compared(from_single_rate),
        )
        for number in (3, 4)
    ]
    return fake_lock("minilm", candidates, optimism=optimism)


def write_everything(root: Path, results: str = "results") -> Paths:
    """Write all stages of one study."""
    paths = Paths(root, results)
    write_study(paths)
    write_importance(paths)
    write_lock(paths)
    return paths
