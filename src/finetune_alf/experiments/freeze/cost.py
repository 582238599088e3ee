"""The cost of each level: FLOPs and memory by formula, their fit to measured seconds, and the Pareto front."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.cost.contrastive import contrastive_memory, contrastive_work
from finetune_alf.cost.memory import fit_memory
from finetune_alf.cost.shape import EncoderShape, Engine, FitLengths
from finetune_alf.cost.speed import TimedWork, estimate_speed
from finetune_alf.cost.work import Work, fit_work
from finetune_alf.experiments.freeze.document import CostCalibration
from finetune_alf.recipe import Recipe


@dataclass(frozen=True)
class LevelCost:
    """A fit by formula: FLOPs of matrix products, layer calls, peak memory in bytes.

    `layer_calls` counts a layer once a batch, forward and backward: time that does not depend on the size of the batch.
    """

    flops: float
    layer_calls: float
    memory_bytes: int


def level_cost(shape: EncoderShape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> LevelCost:
    """Return the cost of a fit of this recipe on texts of these lengths."""
    if recipe.objective is None:
        work, memory = fit_work(shape, lengths, recipe, engine), fit_memory(shape, lengths, recipe, engine)
    else:
        given = (shape, lengths, recipe, recipe.objective, engine)
        work, memory = contrastive_work(*given), contrastive_memory(*given)
    return LevelCost(work.flops, work.train_calls + work.evaluation_calls, memory.total)


def calibrate(costs: Mapping[str, LevelCost], seconds: Mapping[str, float]) -> CostCalibration | None:
    """Return the seconds of 1e12 FLOPs and of a layer call, both at least 0, with the least relative error.

    None for fewer than 3 levels: two levels would fit any seconds.
    """
    levels = [level for level in costs if level in seconds]
    if len(levels) < 3:
        return None
    timed = [TimedWork(_work(costs[level]), seconds[level]) for level in levels]
    speed = estimate_speed(timed, fit_s=0.0)
    return CostCalibration(
        teraflop_s=speed.unit_s.train_flops,
        layer_call_s=speed.unit_s.train_calls,
        max_relative_error=max(abs(speed.seconds(each.work) / each.seconds - 1) for each in timed),
    )


def _work(cost: LevelCost) -> Work:
    return Work(train_flops=cost.flops / 1e12, train_calls=cost.layer_calls)


def pareto_front(points: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Return the names of the Pareto-optimal points (seconds, score).

    No other point is as fast and as good, and better in one of them.
    """
    return tuple(
        name
        for name, (seconds, score) in points.items()
        if not any(s <= seconds and v >= score and (s, v) != (seconds, score) for s, v in points.values())
    )
