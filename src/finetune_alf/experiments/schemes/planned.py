"""The fits of a testbed, planned: every combination on every sample."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from finetune_alf.experiments.schemes.cells import recipe_of
from finetune_alf.experiments.schemes.combination import Combination
from finetune_alf.experiments.schemes.rules import FIXED, parts_of
from finetune_alf.experiments.schemes.section import SECTION
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import elapsed_of, finished_cells
from finetune_alf.planning.planned import ADAPTERS_NOTE, PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor, StagePlan
from finetune_alf.running.context import Context
from finetune_alf.schedules.pull import pull


def schemes_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `schemes.<name>`."""
    spec = entry("schemes", SECTION.of(ctx.params), name)
    in_registry = [one for one in spec.schedules if "@" in one]
    adapted = any(one.adapter for one in spec.combinations)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        known = [one for one in spec.schedules if one not in in_registry]
        schedules = {one: pull(str(ctx.paths.root / one) if one.endswith(".json") else one) for one in known}
        cells = ctx.paths.cells("schemes", name)
        for sample in spec.samples:
            fits = [
                FitGroup(one.name, [recipe_of(spec, stand_in, sample, schedules, predictor.n_layers)], spec.n_seeds)
                for one in spec.combinations
                for stand_in in [_without(one, in_registry)]
            ]
            yield predictor.stage(
                sample, sample, fits, elapsed=elapsed_of(finished_cells(cells, _combination_on(sample)))
            )

    notes = [ADAPTERS_NOTE] if adapted else []
    if in_registry:
        notes.append(f"{', '.join(in_registry)}: counted as if everything learned; the registry is not asked.")
    return PlannedFits(f"schemes {name}", spec.encoder, spec.recipe, spec.samples, stages, tuple(notes))


def _combination_on(sample: str) -> Callable[[Mapping[str, Any]], str | None]:
    def name(cell: Mapping[str, Any]) -> str | None:
        return f"{cell['scheme']}/{cell['adapter']}/{cell['curve']}" if cell["sample"] == sample else None

    return name


def _without(combination: Combination, schedules: Sequence[str]) -> Combination:
    """Leave out what only the registry knows: the recipe's own rates open everything."""
    known = [part for part in parts_of(combination.scheme) if part not in schedules]
    return replace(combination, scheme="+".join(known) or FIXED)
