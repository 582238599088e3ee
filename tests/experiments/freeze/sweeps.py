"""Specs, fits and a small project for the tests of sweeps."""

import json
import random
from pathlib import Path
from typing import Any

from fake_results import fake_result
from finetune_alf.experiments.freeze.document import SweepSample
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.train.result import EpochMetrics, FitResult

RECIPE = {"rates": {"kind": "uniform", "rate": 1e-5}, "epochs": 2, "batch": 8, "max_tokens": 16}
SAMPLE = SweepSample(name="words", digest="d" * 64, metrics=("accuracy", "f1"), score_on="test", n_texts=2)

PARAMS = """
project: small
compute: {n_threads: 1, precision: fp32}
encoders:
  tiny:
    kind: random
    seed: 1
    config:
      model_type: bert
      vocab_size: 300
      hidden_size: 16
      num_hidden_layers: 2
      num_attention_heads: 2
      intermediate_size: 32
      max_position_embeddings: 32
      initializer_range: 0.4
samples:
  cola-like:
    source: {kind: files, train: words.csv, text: text, label: kind}
    n_train: 32
    n_validation: 24
    n_confirmation: 0
    n_test: 24
    max_train_frac: 0.5
  scored:
    source: {kind: files, train: words.csv, text: text, label: score}
    problem_type: regression
    n_train: 32
    n_validation: 24
    n_confirmation: 0
    n_test: 0
    max_train_frac: 0.5
freeze:
  tiny:
    encoder: tiny
    samples: [cola-like, scored]
    metrics: {cola-like: [matthews, accuracy]}
    rates: [1e-3, 3e-3]
    n_frozen: [1, all]
    n_seeds: 2
    recipe:
      rates: {kind: uniform, rate: 1e-3, head: 1e-2}
      allow_forgetting: true
      batch: 8
      epochs: 2
      max_tokens: 16
"""


def spec(**changes: Any) -> FreezeSpec:
    asked = {"encoder": "tiny", "samples": ["words"], "recipe": RECIPE} | changes
    return FreezeSpec.model_validate_json(json.dumps(asked))


def fitted(
    validation: float | None, scored: float = 0.5, predictions: tuple[int, ...] = (0, 1), seconds: float = 1.0
) -> FitResult:
    """A fit with these scores; one without a validation score diverged."""
    record = EpochMetrics(
        epoch=0,
        train_loss=None if validation is None else 0.5,
        validation_loss=None if validation is None else 0.5,
        validation_accuracy=validation,
        validation_score=validation,
        seconds=seconds,
        ended_ms=1,
    )
    return fake_result(
        epochs=(record,),
        score=scored,
        loss=None,
        predictions=predictions,
        stopped="diverged" if validation is None else "epochs",
        seconds=seconds,
    )


def write_project(root: Path, text: str = PARAMS) -> Path:
    """A folder with params.yaml and its texts: good or bad words, and a score that counts the good ones."""
    root.mkdir(exist_ok=True)
    rng = random.Random(0)
    rows = ["text,kind,score"]
    for number in range(100):
        good = number % 5
        words = ["good"] * good + ["bad"] * (4 - good) + [f"w{rng.randrange(200)}" for _ in range(3)]
        rng.shuffle(words)
        rows.append(f"{' '.join(words)} n{number},{'good' if good > 2 else 'bad'},{good}.0")
    (root / "words.csv").write_text("\n".join(rows) + "\n")
    (root / "params.yaml").write_text(text)
    return root
