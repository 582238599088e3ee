"""What the benchmark's processes hand each other, as JSON: the task, and what came of it."""

import json
from pathlib import Path
from typing import Any, Literal

from finetune_alf.encoder.spec import FolderEncoder, PackageEncoder
from finetune_alf.spec import Spec

Peer = Literal["default", "tuned", "plain", "ours", "padded"]

PEERS: dict[Peer, str] = {
    "default": "Trainer with Optuna, defaults",
    "tuned": "Trainer with Optuna, tuned",
    "plain": "plain PyTorch loop",
    "ours": "finetune_alf",
    "padded": "finetune_alf, padded",
}

N_WARM = 8
"""Texts of the warm-up fit."""

Features = list[dict[str, Any]]
"""Texts as transformers' collators take them, not padded: input_ids, labels, token_type_ids where there are any."""


class Drawn(Spec):
    """A work's texts on disk: the whole sample, eight texts to warm up with, and all texts with hardly any to evaluate.

    `features` is a JSON file of token ids for the peers that do not tokenise; `lengths` are the tokens of each text.
    """

    sample: str
    digest: str
    warm: str
    warm_digest: str
    steps: str
    steps_digest: str
    features: str
    train_lengths: tuple[int, ...]
    validation_lengths: tuple[int, ...]


class Shape(Spec):
    """The sizes that an encoder's FLOPs hang on."""

    n_layers: int
    hidden: int
    inner: int
    n_classes: int = 2


class Ready(Spec):
    """What the preparing process leaves: the encoder, its sizes, the texts of each work."""

    encoder: FolderEncoder | PackageEncoder
    folder: str
    shape: Shape
    drawn: dict[str, Drawn]


class Asked(Spec):
    """One peer's run of one work: all its trials, in a process of its own."""

    work: str
    mode: Literal["quick", "full", "tiny"]
    peer: Peer
    repeat: int
    encoder: FolderEncoder | PackageEncoder
    folder: str
    n_layers: int
    drawn: Drawn
    device: str
    n_threads: int
    seed: int = 1
    n_spread: int = 0
    """Fits under other seeds after the timing, for the spread of the loss; our engine alone."""
    probe: bool = False
    """Whether to time the steps alone after the timing; our engine alone."""


class Counted(Spec):
    """What a run did, all trials together; `n_tokens` are those of both splits, padding not counted."""

    n_trials: int
    n_epochs: int
    n_steps: int
    n_trained: int
    n_evaluated: int
    n_tokens: int


class Curve(Spec):
    """One trial's losses in nats a text: mean over all steps, and on the validation split after each epoch."""

    train: float
    validation: tuple[float, ...]


class Outside(Spec):
    """Our engine's time that is not the model's: shares of the whole run.

    `study_frac` lies outside the fits (ask, tell, record), `fits_frac` in them but outside the epochs (first weights
    put back, optimizer built).
    """

    study_frac: float
    fits_frac: float


class Done(Spec):
    """What a run took: `setup_s` for loading and a warm-up fit, then `wall_s`; `peak_mib` is before any spread."""

    work: str
    peer: Peer
    repeat: int
    wall_s: float
    setup_s: float
    peak_mib: float
    precision: str
    counted: Counted
    curves: tuple[Curve, ...]
    outside: Outside | None = None
    step_s: float | None = None
    """Median seconds of a training step of the first trial's rates."""
    spread: tuple[Curve, ...] = ()


class Machine(Spec):
    """Where it ran: best matrix-product rates in FLOP/s, before and after the peers."""

    cpu: str
    device: str
    n_cores: int
    n_threads: int
    fp32: float
    bf16: float
    versions: dict[str, str]


def read_features(path: str) -> dict[str, Features]:
    """Read a work's token ids, by split."""
    features: dict[str, Features] = json.loads(Path(path).read_text())
    return features


def n_tokens(features: dict[str, Features]) -> int:
    """Return the tokens of both splits, padding not counted."""
    return sum(len(text["input_ids"]) for split in features.values() for text in split)
