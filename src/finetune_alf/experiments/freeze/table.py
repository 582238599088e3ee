"""One sample's numbers, as the stage writes and the report reads them: levels, operating points, what each costs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from finetune_alf.experiments.freeze.cells import Cell, SweptSample
from finetune_alf.experiments.freeze.cost import LevelCost, cost_fit, pareto_front
from finetune_alf.experiments.freeze.levels import NONE, Level
from finetune_alf.experiments.freeze.operating import margin, operating_point
from finetune_alf.experiments.freeze.resample import BySeed, interval, scores_by_seed
from finetune_alf.experiments.freeze.search import LineSearch
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.metrics import constant_predictions
from finetune_alf.seeds import child_seed
from finetune_alf.stats.weighted import Floats
from finetune_alf.train.result import FitResult

Document = dict[str, Any]
Truth = Sequence[float]


@dataclass(frozen=True)
class Swept:
    """All that was fitted on one sample, and what its levels cost by formula, by name."""

    sample: SweptSample
    truth: Truth
    search: LineSearch
    fits: Sequence[tuple[Cell, FitResult]]
    costs: Mapping[str, LevelCost]

    def at(self, level: Level) -> dict[int, FitResult]:
        """Return the fits of a level that did not diverge, by seed."""
        return {cell.seed: fit for cell, fit in self.fits if cell.level == level and fit.score is not None}

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels, from the full model on."""
        return tuple(dict.fromkeys(cell.level for cell, _ in self.fits))


def sample_table(spec: FreezeSpec, swept: Swept) -> Document:
    """Return everything that is told of a sample."""
    by_metric = {metric: _values(spec, swept, metric) for metric in swept.sample.metrics}
    levels = {level.name: _level(spec, swept, level, by_metric) for level in swept.levels}
    return {
        "sample": asdict(swept.sample) | {"n_texts": len(swept.truth)},
        "search": _search(swept.search),
        "levels": levels,
        "operating": {metric: _operating(spec, swept, metric, own) for metric, own in by_metric.items()},
        "front": list(_front(levels, swept.sample.metrics[0])),
        "cost_fit": _cost_fit(swept.costs, levels),
    }


def _values(spec: FreezeSpec, swept: Swept, metric: str) -> dict[Level, BySeed]:
    return {
        level: _scores(spec, swept, metric, {fit_seed: fit.predictions for fit_seed, fit in swept.at(level).items()})
        for level in swept.levels
    }


def _scores(spec: FreezeSpec, swept: Swept, metric: str, predicted: Mapping[int, Sequence[float]]) -> dict[int, Floats]:
    """Return scores by seed, on the resamples that all levels of a sample share."""
    seed = child_seed(spec.seed, "texts", swept.sample.name)
    return scores_by_seed(metric, swept.truth, predicted, spec.n_resamples, seed)


def _level(spec: FreezeSpec, swept: Swept, level: Level, by_metric: Mapping[str, Mapping[Level, BySeed]]) -> Document:
    fits, cost = swept.at(level), swept.costs[level.name]
    n_asked = sum(cell.level == level for cell, _ in swept.fits)
    return {
        "n_frozen": level.n_frozen,
        "n_trained": level.n_trained,
        "n_seeds": len(fits),
        "n_diverged": n_asked - len(fits),
        "scores": {metric: _estimate(spec, own[level]) for metric, own in by_metric.items()},
        "relative": {metric: _relative(spec, own[level], own[_full(own)]) for metric, own in by_metric.items()},
        "seconds": median(fit.seconds for fit in fits.values()) if fits else None,
        "n_trainable_parameters": next((fit.n_trainable_parameters for fit in fits.values()), None),
        **asdict(cost),
    }


def _operating(spec: FreezeSpec, swept: Swept, metric: str, values: Mapping[Level, BySeed]) -> Document:
    """Return the extreme points, the full model's gain, and the operating points over both floors."""
    full, floor = values[_full(values)], _scores(spec, swept, metric, {0: constant_predictions(metric, swept.truth)})[0]
    frozen = {level.n_trained: own for level, own in values.items() if level.n_frozen is not None}
    none_trained = frozen.get(0)
    told: Document = {
        "majority": float(floor[0]),
        "full": _estimate(spec, full),
        "above_majority": _interval(spec, {each: own - floor for each, own in full.items()}),
        "none_trained": _estimate(spec, none_trained) if none_trained else None,
    }
    if not full:
        return told | {"raw": None, "gain": None}
    for name, least in (("raw", np.zeros_like(floor)), ("gain", floor)):
        margins = {n: margin(own, full, keep=spec.keep, floor=least, seed=_seed(spec)) for n, own in frozen.items()}
        point = operating_point(margins, full=told["full"]["mean"], floor=float(least[0]))
        told[name] = asdict(point) if point else None
    return told


def _relative(spec: FreezeSpec, own: BySeed, full: BySeed) -> Document | None:
    return _interval(spec, {each: own[each] - full[each] for each in own if each in full})


def _estimate(spec: FreezeSpec, values: BySeed) -> Document | None:
    told = _interval(spec, values)
    return told and told | {"by_seed": [float(own[0]) for own in values.values()]}


def _interval(spec: FreezeSpec, values: BySeed) -> Document | None:
    return asdict(interval(values, _seed(spec))) if values else None


def _search(search: LineSearch) -> Document:
    scores = {f"{rate:g}": list(own) for rate, own in search.scores.items()}
    return {"rate": search.rate, "is_at_edge": search.is_at_edge, "scores": scores}


def _front(levels: Mapping[str, Document], metric: str) -> tuple[str, ...]:
    return pareto_front(
        {name: (own["seconds"], own["scores"][metric]["mean"]) for name, own in levels.items() if own["scores"][metric]}
    )


def _cost_fit(costs: Mapping[str, LevelCost], levels: Mapping[str, Document]) -> Document | None:
    found = cost_fit(costs, {name: own["seconds"] for name, own in levels.items() if own["seconds"] is not None})
    return asdict(found) if found else None


def _full(values: Mapping[Level, BySeed]) -> Level:
    return next(level for level in values if level.name == NONE)


def _seed(spec: FreezeSpec) -> int:
    return child_seed(spec.seed, "seeds")
