"""Schemes before they run: what each may cost, without the registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.experiments.scheme_spec import (
    AnyScheme,
    HoulsbyScheme,
    LoraScheme,
    RegisteredScheme,
    ScheduleScheme,
    UniformScheme,
)
from finetune_alf.experiments.scheme_table import SchemeInputs, scheme_recipes, unregistered
from finetune_alf.planning.planned import ADAPTERS_NOTE
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import AnyRecipe, Recipe
from finetune_alf.register.lock import LockDocument
from finetune_alf.running.context import Context
from finetune_alf.schedules.pull import pull
from finetune_alf.schedules.reference import from_root, is_registered


@dataclass(frozen=True)
class PlannedRecipes:
    """The recipes of schemes by label: one where it is known, else those that it may have, all equally probable."""

    known: Mapping[str, AnyRecipe]
    unknown: Mapping[str, Sequence[AnyRecipe]]

    @property
    def each(self) -> dict[str, Sequence[AnyRecipe]]:
        """The recipes that each scheme may have."""
        return {**{label: [recipe] for label, recipe in self.known.items()}, **self.unknown}


def planned_recipes(
    ctx: Context,
    schemes: Sequence[AnyScheme],
    baseline: Recipe,
    n_layers: int,
    searched: Sequence[Recipe],
    lock: LockDocument | None = None,
) -> PlannedRecipes:
    """Return the recipes of schemes, without those that the study of a lock file did not register.

    Without a lock file, and where a registry is named, a schedule may be any of `searched`; single rates all cost the
    same. Raises ScheduleError for a schedule that is not there.
    """
    left_out = unregistered(schemes, lock.schedules) if lock else []
    fitted = [scheme for scheme in schemes if scheme.kind not in left_out]
    known = [scheme for scheme in fitted if _is_known(scheme, lock)]
    root, allowed = ctx.paths.root, baseline.allow_forgetting
    schedules = {
        each.of: pull(from_root(root, each.of), allow_forgetting=allowed)
        for each in known
        if isinstance(each, ScheduleScheme)
    }
    schedules |= {alias: locked.schedule for alias, locked in lock.schedules.items()} if lock else {}
    single_rate = lock.single_rate.rate if lock and lock.single_rate else None
    some_rate = baseline.with_rates(UniformRates(rate=baseline.rates.highest).at(n_layers))
    return PlannedRecipes(
        scheme_recipes(known, SchemeInputs(baseline, n_layers, schedules, single_rate)),
        {
            each.label: [some_rate] if isinstance(each, UniformScheme) else searched
            for each in fitted
            if each not in known
        },
    )


def planned_notes(schemes: Sequence[AnyScheme], baseline: Recipe) -> tuple[str, ...]:
    """Return what a plan of these schemes does not know."""
    has_adapters = any(isinstance(scheme, LoraScheme | HoulsbyScheme) for scheme in schemes)
    return (ADAPTERS_NOTE,) if has_adapters or baseline.adapter is not None else ()


def _is_known(scheme: AnyScheme, lock: LockDocument | None) -> bool:
    """Return whether the recipe of a scheme is known: a plan reads the lock file, but no registry."""
    if isinstance(scheme, RegisteredScheme):
        return lock is not None
    if isinstance(scheme, UniformScheme) and scheme.rate is None:
        return lock is not None and lock.single_rate is not None
    return not (isinstance(scheme, ScheduleScheme) and is_registered(scheme.of))
