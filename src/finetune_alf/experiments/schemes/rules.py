"""Schemes by name: the fields that each sets in a recipe. `+` joins several, as in `differential+gradual`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune_alf.rates import EMBEDDINGS, HEAD, DecayedRates, FrozenBelow, LayerRates
from finetune_alf.recipe import SGD, GradualUnfreezing, Recipe
from finetune_alf.schedules.reference import is_reference
from finetune_alf.schedules.schedule import Schedule

FIXED = "fixed"
"""The recipe as it is: one rate for all layers."""

HEAD_ONLY = "head"
FEATURE_EXTRACTION = "feature_extraction"
"""As HEAD_ONLY, but a pre-trained pooler is frozen too: all that was pre-trained is."""

HEAD_ALONE = (HEAD_ONLY, FEATURE_EXTRACTION)
"""The schemes that freeze every layer."""

FROM_HEAD = "gradual_from_head"
"""Gradual unfreezing in whose first epoch the head learns alone."""

DIVISOR = 2.6
"""How much lower each layer's rate is than that of the layer above (ULMFiT: Howard & Ruder 2018, section 3.1)."""

DECAY = 0.95
"""The factor from layer to layer of layer-wise decay (Sun et al. 2019, section 5.3.3)."""

MOMENTUM = 0.9
"""Nesterov momentum where the recipe has none; the survey gives no number."""


@dataclass(frozen=True)
class Rule:
    """The field of a recipe that a scheme sets, its value, and other fields that it sets whatever the recipe."""

    sets: str
    value: Callable[[Recipe], Any]
    others: Mapping[str, Any] = field(default_factory=dict)


def _head(recipe: Recipe) -> float:
    return recipe.rates.at(1)[HEAD]


def _decayed(factor: float) -> Callable[[Recipe], DecayedRates]:
    return lambda recipe: DecayedRates(rate=recipe.rates.highest, decay=factor, head=_head(recipe))


def _nesterov(recipe: Recipe) -> SGD:
    momentum = recipe.optimizer.momentum if isinstance(recipe.optimizer, SGD) else 0.0
    return SGD(momentum=momentum or MOMENTUM, nesterov=True, weight_decay=recipe.optimizer.weight_decay)


def _head_only(recipe: Recipe) -> FrozenBelow:
    return FrozenBelow(n_frozen="all", rate=recipe.rates.highest, head=_head(recipe))


RULES: Mapping[str, Rule] = {
    "nesterov": Rule("optimizer", _nesterov),
    "differential": Rule("rates", _decayed(1 / DIVISOR)),
    "decayed": Rule("rates", _decayed(DECAY)),
    "gradual": Rule("unfreezing", lambda recipe: GradualUnfreezing()),
    FROM_HEAD: Rule("unfreezing", lambda recipe: GradualUnfreezing(start="head")),
    HEAD_ONLY: Rule("rates", _head_only),
    FEATURE_EXTRACTION: Rule("rates", _head_only, {"pooler": "frozen"}),
}

SCHEDULE_SETS = ("rates", "optimizer", "unfreezing")
"""The fields that a schedule sets; batch, epochs and the others are the testbed's."""


def _rescaled(rates: LayerRates, recipe: Recipe) -> LayerRates:
    """Multiply the rates of embeddings and layers so that the highest is the recipe's; the head has the recipe's."""
    highest = max(rates[EMBEDDINGS], *rates.layers)
    factor = recipe.rates.highest / highest if highest else 1.0
    return LayerRates.of(rates[EMBEDDINGS] * factor, [rate * factor for rate in rates.layers], _head(recipe))


def parts_of(scheme: str) -> tuple[str, ...]:
    """Return the schemes that a name joins."""
    return tuple(scheme.split("+"))


def fields_set(part: str) -> tuple[str, ...]:
    """Return the fields of a recipe that a scheme sets."""
    return SCHEDULE_SETS if is_reference(part) else (RULES[part].sets, *RULES[part].others) if part in RULES else ()


def changes(
    scheme: str,
    recipe: Recipe,
    schedules: Mapping[str, Schedule],
    n_layers: int,
    *,
    stretch: bool = False,
    rescale: bool = False,
) -> dict[str, Any]:
    """Return the fields that a scheme changes in a recipe, for an encoder of this depth.

    Raises ScheduleError for a schedule of another depth, unless it is to be stretched.
    """
    changed: dict[str, Any] = {}
    for part in parts_of(scheme):
        if part in schedules:
            schedule = schedules[part]
            rates = schedule.rates.stretch(n_layers) if stretch else schedule.for_depth(n_layers)
            scheduled = schedule.recipe.with_rates(_rescaled(rates, recipe) if rescale else rates)
            changed |= {name: getattr(scheduled, name) for name in SCHEDULE_SETS}
        elif part in RULES:
            rule = RULES[part]
            changed |= {rule.sets: rule.value(recipe), **rule.others}
    return changed
