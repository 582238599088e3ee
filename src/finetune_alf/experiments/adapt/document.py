"""What the report takes from results/adapt/<name>.json."""

from finetune_alf.report.records import Estimate, Record


class AdaptedFrom(Record):
    """Which encoder was trained further, exactly."""

    name: str
    identity: str


class AdaptTextsRecord(Record):
    """Which texts it learned from, and which it was measured on."""

    source: str
    n_texts: int
    n_pieces: int
    n_tokens: int
    held_out_from: str
    n_held_out: int
    n_left_out: int


class TrainingRecord(Record):
    """The settings that are printed."""

    batch: int
    max_tokens: int
    rate: float
    warmup_frac: float
    mask_frac: float
    whole_words: bool


class LossesRecord(Record):
    """The loss on held-out texts."""

    before: float
    after: float


class WarmUpRecord(Record):
    """How a fresh head was warmed up."""

    n_steps: int
    rate: float
    losses: LossesRecord


class CurvePoint(Record):
    """The training loss up to a step."""

    step: int
    loss: float


class SidesDifference(Estimate):
    """With minus without, tested."""

    p: float
    verdict: str


class ComparisonRecord(Record):
    """The fine-tuned scores; no difference where no seed converged on both sides."""

    metric: str
    n_test: int
    n_seeds: int
    diverged: tuple[str, ...]
    sides: dict[str, Estimate]
    difference: SidesDifference | None


class AdaptDocument(Record):
    """An adaptation, and what fine-tuning gained where that was asked."""

    name: str
    encoder: AdaptedFrom
    texts: AdaptTextsRecord
    training: TrainingRecord
    warm_up: WarmUpRecord | None
    note: str | None
    n_steps: int
    losses: LossesRecord
    curve: tuple[CurvePoint, ...]
    seconds: float
    device: str
    precision: str
    n_threads: int
    sha256: str
    comparison: ComparisonRecord | None
