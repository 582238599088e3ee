"""Documents of sweeps that never ran, for what reads documents alone."""

from typing import Any

from fake_comparisons import compared
from fake_results import SHARES
from finetune_alf.comparison import ComparedDifference
from finetune_alf.documents import EncoderIdentity
from finetune_alf.experiments.freeze.document import (
    CostCalibration,
    FreezeDocument,
    LevelResult,
    OperatingPoint,
    OperatingPoints,
    SampleTable,
    SearchResult,
    SeedsEstimate,
    SweepSample,
)
from finetune_alf.experiments.freeze.family import judged_tables
from finetune_alf.paths import Paths
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import Recipe

N_LAYERS = 3


def seeds_estimate(mean: float) -> SeedsEstimate:
    return SeedsEstimate(mean=mean, low=mean - 0.1, high=mean + 0.1, sd_seeds=0.028, by_seed=(mean - 0.02, mean + 0.02))


def point(n_trained: int | None, n_conservative: int | None = None, *, is_monotone: bool = True) -> OperatingPoint:
    return OperatingPoint(n_trained=n_trained, n_conservative=n_conservative, is_monotone=is_monotone)


def points(
    of_score: OperatingPoint | None, of_gain: OperatingPoint | None, gain: ComparedDifference | None = None
) -> OperatingPoints:
    """Operating points of a full model at 0.8 over a majority baseline of 0.5; the head alone is at 0.6."""
    return OperatingPoints(
        majority_baseline=0.5,
        full_model=seeds_estimate(0.8),
        gain=gain or compared(0.3),
        head_only=seeds_estimate(0.6),
        of_score=of_score,
        of_gain=of_gain,
    )


def level(n_frozen: int | None, scores: dict[str, float | None], **changes: Any) -> LevelResult:
    """A level whose scores differ from those of a full model at 0.8 by what they say; None where all fits diverged."""
    means = {metric: mean for metric, mean in scores.items() if mean is not None}
    fields: dict[str, Any] = {
        "n_frozen": n_frozen,
        "n_trained": N_LAYERS - (n_frozen or 0),
        "n_seeds": 2,
        "n_diverged": 0,
        "scores": {metric: seeds_estimate(means[metric]) if metric in means else None for metric in scores},
        "differences": {metric: compared(means[metric] - 0.8, 0.001) if metric in means else None for metric in scores},
        "seconds": 12.0 - 2 * (n_frozen or 0),
        "n_trainable_parameters": 1000,
        "flops": 6e12 / (1 + (n_frozen or 0)),
        "layer_calls": 100.0,
        "memory_bytes": 300 << 20,
    }
    return LevelResult(**fields | changes)


def table(
    name: str, levels: list[LevelResult], operating_points: dict[str, OperatingPoints], **changes: Any
) -> SampleTable:
    fields: dict[str, Any] = {
        "sample": SweepSample(
            name=name, digest="d" * 64, metrics=tuple(operating_points), score_on="test", n_texts=1043
        ),
        "search": SearchResult(
            rate=2e-5, is_at_edge=False, scores={"1e-05": (0.7,), "2e-05": (0.79,), "5e-05": (None,)}
        ),
        "levels": {"none" if each.n_frozen is None else str(each.n_frozen): each for each in levels},
        "operating_points": operating_points,
        "pareto_front": ("none",),
        "calibration": None,
    }
    return SampleTable(**fields | changes)


def document(name: str, *tables: SampleTable, **changes: Any) -> FreezeDocument:
    fields: dict[str, Any] = {
        "name": name,
        "encoder": EncoderIdentity(name="tiny", identity="folder:0123", n_layers=N_LAYERS),
        "recipe": Recipe(rates=UniformRates(rate=1e-5), epochs=3, batch=16, max_tokens=64),
        "keep_frac": 0.9,
        "n_seeds": 5,
        "n_search_seeds": 1,
        "n_at_once": 1,
        "environments": SHARES,
        "samples": {each.sample.name: each for each in tables},
    }
    return FreezeDocument(**fields | changes | {"samples": judged_tables(fields["samples"])})


def write_sweeps(paths: Paths) -> None:
    """Write two sweeps of one depth: one with everything that a page points out, and one with nothing to keep."""
    cola = table(
        "cola",
        [
            level(None, {"matthews": 0.8, "accuracy": 0.8}),
            level(2, {"matthews": 0.7, "accuracy": 0.79}),
            level(3, {"matthews": 0.2, "accuracy": 0.9}),
        ],
        {"matthews": points(point(1, 1), point(1)), "accuracy": points(point(0, 0), point(0, is_monotone=False))},
        pareto_front=("none", "2"),
        calibration=CostCalibration(teraflop_s=1.25, layer_call_s=0.004, max_relative_error=0.125),
    )
    scores = table(
        "scores",
        [
            level(None, {"pearson": 0.8}),
            level(2, {"pearson": 0.78}, n_seeds=1, n_diverged=1),
            level(3, {"pearson": None}, n_seeds=0, n_diverged=2, seconds=None),
        ],
        {"pearson": points(point(1), point(None), gain=compared(0.03))},
        sample=SweepSample(name="scores", digest="e" * 64, metrics=("pearson",), score_on="validation", n_texts=24),
        search=SearchResult(rate=2e-5, is_at_edge=True, scores={"1e-05": (0.5,), "2e-05": (0.6,)}),
    )
    recipe = Recipe(rates=UniformRates(rate=1e-5), epochs=1, batch=8, max_tokens=16, frozen_dropout="off")
    nothing = points(None, None, gain=compared(-0.5)).model_copy(update={"head_only": None})
    sweeps = (
        document("first", cola, scores, n_seeds=2, n_at_once=4, recipe=recipe),
        document("second", table("scores", [level(None, {"pearson": 0.8})], {"pearson": nothing})),
    )
    for sweep in sweeps:
        sweep.write(paths.document("freeze", sweep.name))
