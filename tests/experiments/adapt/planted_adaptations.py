"""Documents of adaptations that never ran, for what reads documents alone."""

from typing import Any

from fake_comparisons import compared
from fake_results import ENVIRONMENT, SHARES
from finetune_alf.comparison import SeedsScore
from finetune_alf.experiments.adapt.document import AdaptDocument, Comparison
from finetune_alf.experiments.adapt.record import (
    NEW_HEAD_NOTE,
    AdaptRecord,
    HeadWarmUp,
    Losses,
    LossPoint,
    TextCounts,
)
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.paths import Paths
from finetune_alf.stats import TOO_FEW_SEEDS


def record(name: str, *, n_excluded: int = 0, whole_words: bool = False, **changes: Any) -> AdaptRecord:
    spec = AdaptSpec(encoder="tiny", sample="films", n_steps=40, whole_words=whole_words)
    fields: dict[str, Any] = {
        "name": name,
        "inputs_digest": "a" * 64,
        "encoder": {"name": "tiny", "identity": "folder:0123"},
        "texts": TextCounts(
            source="sample films, training split",
            digest="b" * 64,
            n_texts=1200,
            n_pieces=1280,
            n_tokens=40321,
            held_out_from="sample films, validation split",
            n_held_out=72,
            n_excluded=n_excluded,
        ),
        "training": spec.training(),
        "warm_up": None,
        "note": None,
        "n_steps": 40,
        "losses": Losses(before=6.5, after=5.25),
        "loss_curve": tuple(LossPoint(step=step, loss=6.5 - step / 40) for step in (10, 20, 30, 40)),
        "seconds": 75.0,
        "started_ms": 0,
        "environment": ENVIRONMENT,
        "sha256": "c" * 64,
    }
    return AdaptRecord(**fields | changes)


def comparison(**changes: Any) -> Comparison:
    fields: dict[str, Any] = {
        "metric": "balanced_accuracy",
        "n_test": 1400,
        "majority_baseline": 0.5,
        "n_seeds": 5,
        "diverged": (),
        "scores": {
            "plain": SeedsScore(mean=0.7, low=0.66, high=0.74, sd_seeds=0.01),
            "adapted": SeedsScore(mean=0.75, low=0.71, high=0.79, sd_seeds=0.01),
        },
        "environments": SHARES,
        "difference": compared(0.05, 0.002, p_holm=0.002, verdict="better"),
    }
    return Comparison(**fields | changes)


def write_adaptations(paths: Paths) -> None:
    """Write adaptations with and without a comparison, with a new head, and with all that a page points out."""
    warm_up = HeadWarmUp(n_steps=200, rate=1e-3, losses=Losses(before=7.1, after=6.5))
    documents = (
        AdaptDocument(record=record("better"), comparison=comparison()),
        AdaptDocument(
            record=record("new-head", n_excluded=3, whole_words=True, warm_up=warm_up, note=NEW_HEAD_NOTE),
            comparison=comparison(
                n_seeds=4,
                diverged=("plain/seed-1",),
                difference=compared(0.01, 0.41, n_seeds=4, verdict=TOO_FEW_SEEDS),
            ),
        ),
        AdaptDocument(record=record("worse-loss", losses=Losses(before=6.5, after=6.75)), comparison=None),
        AdaptDocument(
            record=record("diverged"),
            comparison=comparison(n_seeds=0, diverged=("plain/seed-0", "adapted/seed-1"), scores={}, difference=None),
        ),
    )
    for document in documents:
        document.write(paths.document("adapt", document.record.name))
