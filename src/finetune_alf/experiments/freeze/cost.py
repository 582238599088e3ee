"""What each level costs: operations and memory by the formulas of `cost/`, measured seconds, and what is worth them."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.cost.memory import fit_memory
from finetune_alf.cost.shape import EncoderShape, Engine, FitLengths
from finetune_alf.cost.speed import TimedWork, estimate_speed
from finetune_alf.cost.work import Work, fit_work
from finetune_alf.experiments.freeze.document import CostFit
from finetune_alf.recipe import Recipe


@dataclass(frozen=True)
class LevelCost:
    """A fit by formula: floating-point operations in matrix products, layers run through, bytes at its fullest.

    `calls` counts a layer once for each batch, forwards and backwards: what costs something however small a batch is.
    """

    flops: float
    calls: float
    memory_bytes: int


def level_cost(shape: EncoderShape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> LevelCost:
    """Return what a fit of this recipe costs on texts of these lengths."""
    work = fit_work(shape, lengths, recipe, engine)
    memory = fit_memory(shape, lengths, recipe, engine)
    return LevelCost(work.flops, work.train_calls + work.evaluation_calls, memory.total)


def cost_fit(costs: Mapping[str, LevelCost], seconds: Mapping[str, float]) -> CostFit | None:
    """Return the prices, neither of them negative, that come nearest by relative error; None for fewer than 3 levels.

    With as many prices as levels any seconds would do.
    """
    levels = [level for level in costs if level in seconds]
    if len(levels) < 3:
        return None
    timed = [TimedWork(_work(costs[level]), seconds[level]) for level in levels]
    speed = estimate_speed(timed, fit_s=0.0)
    worst = max(abs(speed.seconds(one.work) / one.seconds - 1) for one in timed)
    return CostFit(tera_s=speed.unit_s.train_flops, call_s=speed.unit_s.train_calls, worst=worst)


def _work(cost: LevelCost) -> Work:
    return Work(train_flops=cost.flops / 1e12, train_calls=cost.calls)


def pareto_front(points: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Return those of the points (seconds, score) that no other one beats: quicker, or better, and never worse in both.

    Equal points are all of the front.
    """
    return tuple(
        name
        for name, (seconds, score) in points.items()
        if not any(s <= seconds and v >= score and (s, v) != (seconds, score) for s, v in points.values())
    )
