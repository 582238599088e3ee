"""The records that the benchmark's processes exchange as JSON: tasks and results."""

from pathlib import Path
from typing import Any, Literal

from finetune_alf.encoder.spec import FolderEncoder, PackageEncoder
from finetune_alf.json_files import read_json
from finetune_alf.spec import Spec

Peer = Literal["default", "tuned", "plain", "ours", "padded"]

PEERS: dict[Peer, str] = {
    "default": "Trainer with Optuna, defaults",
    "tuned": "Trainer with Optuna, tuned",
    "plain": "plain PyTorch loop",
    "ours": "finetune_alf",
    "padded": "finetune_alf, padded",
}

N_WARM_UP = 8
"""Texts of the warm-up fit."""

Features = list[dict[str, Any]]
"""Texts as transformers' collators expect them, without padding: input_ids, labels, and token_type_ids if any."""


class PreparedTexts(Spec):
    """A work's texts on disk: the whole sample, eight texts for warm-up, and a sample with very few texts to evaluate.

    `features` is a JSON file of token ids for the peers that do not tokenise; lengths are in tokens, text by text.
    """

    sample: str
    digest: str
    warm_up: str
    warm_up_digest: str
    steps: str
    steps_digest: str
    features: str
    train_lengths: tuple[int, ...]
    validation_lengths: tuple[int, ...]


class Shape(Spec):
    """The sizes that determine an encoder's FLOPs."""

    n_layers: int
    hidden: int
    inner: int
    n_classes: int = 2


class Prepared(Spec):
    """The result of preparation: the encoder, its sizes, the texts of each work."""

    encoder: FolderEncoder | PackageEncoder
    folder: str
    shape: Shape
    texts: dict[str, PreparedTexts]


class PeerTask(Spec):
    """One peer's run of one work: all its trials, in its own process."""

    work: str
    mode: Literal["quick", "full", "tiny"]
    peer: Peer
    repeat: int
    encoder: FolderEncoder | PackageEncoder
    folder: str
    n_layers: int
    texts: PreparedTexts
    device: str
    n_threads: int
    seed: int = 1
    n_spread_seeds: int = 0
    """Fits with other seeds after the timing, for the spread of the loss; our engine only."""
    probe: bool = False
    """Whether to time training steps separately after the timing; our engine only."""


class WorkCounts(Spec):
    """The work of a run, all trials together; `n_tokens` are the tokens of both splits, without padding."""

    n_trials: int
    n_epochs: int
    n_steps: int
    n_trained: int
    n_evaluated: int
    n_tokens: int


class Curve(Spec):
    """One trial's losses in nats a text: the mean over all steps, and the validation loss after each epoch."""

    train: float
    validation: tuple[float, ...]


class Overhead(Spec):
    """Our engine's overhead: fractions of the time of the whole run.

    `study_frac` is outside the fits (suggest, tell, record), `fits_frac` in them but outside the epochs (initial
    weights restored, optimizer built).
    """

    study_frac: float
    fits_frac: float


class PeerResult(Spec):
    """The result of a run: `setup_s` for loading and a warm-up fit, `wall_s` for the trials; `peak_mib` is theirs."""

    work: str
    peer: Peer
    repeat: int
    wall_s: float
    setup_s: float
    peak_mib: float
    precision: str
    counts: WorkCounts
    curves: tuple[Curve, ...]
    overhead: Overhead | None = None
    step_s: float | None = None
    """Median seconds of a training step of the first trial's rates."""
    spread: tuple[Curve, ...] = ()


class Machine(Spec):
    """The machine: its best matrix-product rates in FLOP/s, measured before and after the peers."""

    cpu: str
    device: str
    n_cores: int
    n_threads: int
    fp32: float
    bf16: float
    versions: dict[str, str]


def read_features(path: str) -> dict[str, Features]:
    """Read a work's token ids, by split."""
    document = read_json(Path(path))
    return {name: document[name] for name in ("train", "validation")}


def n_tokens(features: dict[str, Features]) -> int:
    """Return the number of tokens of both splits, without padding."""
    return sum(len(text["input_ids"]) for split in features.values() for text in split)
