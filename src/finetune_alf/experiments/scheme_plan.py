"""Schemes before they run: what each may cost, without the registry."""

from collections.abc import Sequence

from finetune_alf.experiments.scheme_spec import (
    AnyScheme,
    HoulsbyScheme,
    LoraScheme,
    RegisteredScheme,
    ScheduleScheme,
)
from finetune_alf.experiments.scheme_table import SchemeInputs, scheme_recipes
from finetune_alf.planning.planned import ADAPTERS_NOTE
from finetune_alf.recipe import AnyRecipe, Recipe
from finetune_alf.running.context import Context
from finetune_alf.schedules.pull import pull
from finetune_alf.schedules.reference import from_root, is_registered


def planned_recipes(
    ctx: Context, schemes: Sequence[AnyScheme], baseline: Recipe, n_layers: int, searched: Sequence[Recipe]
) -> dict[str, Sequence[AnyRecipe]]:
    """Return the recipes that each scheme may have, all of them equally probable.

    A schedule of a registry may be any of `searched`; every single rate costs the same. Raises ScheduleError for a
    schedule that is not there.
    """
    at_hand = [one.of for one in schemes if isinstance(one, ScheduleScheme) and not _is_unknown(one)]
    root, allowed = ctx.paths.root, baseline.allow_forgetting
    schedules = {each: pull(from_root(root, each), allow_forgetting=allowed) for each in at_hand}
    known = [scheme for scheme in schemes if not _is_unknown(scheme)]
    recipes = scheme_recipes(known, SchemeInputs(baseline, n_layers, schedules, single_rate=baseline.rates.highest))
    return {each.label: searched if _is_unknown(each) else [recipes[each.label]] for each in schemes}


def planned_notes(schemes: Sequence[AnyScheme], baseline: Recipe) -> tuple[str, ...]:
    """Return what a plan of these schemes does not know."""
    has_adapters = any(isinstance(scheme, LoraScheme | HoulsbyScheme) for scheme in schemes)
    return (ADAPTERS_NOTE,) if has_adapters or baseline.adapter is not None else ()


def _is_unknown(scheme: AnyScheme) -> bool:
    """Return whether a scheme is a schedule of a registry, which a plan does not read."""
    return isinstance(scheme, RegisteredScheme) or (isinstance(scheme, ScheduleScheme) and is_registered(scheme.of))
