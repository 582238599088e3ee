"""What experiments ask for, as `plan` sees it: which encoder and samples, and which fits on each.

What a study asks for is in `asked_study.py`, what an adaptation does in `asked_adapt.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from finetune_alf.data.sample import Sample
from finetune_alf.experiments.freeze import cells as swept_cells
from finetune_alf.experiments.freeze.bench import swept
from finetune_alf.experiments.freeze.levels import NONE, Level, levels
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.experiments.schemes.cells import recipe_of
from finetune_alf.experiments.schemes.combination import Combination
from finetune_alf.experiments.schemes.rules import FIXED, parts_of
from finetune_alf.planning.elapsed import Done, cells_done, ledger_done, spent_on
from finetune_alf.planning.predict import Fits, Predictor, StagePlan
from finetune_alf.recipe import Recipe
from finetune_alf.running.context import Context
from finetune_alf.schedules.pull import pull

ADAPTERS_NOTE = "Fits with adapters are planned at the speed of those without, the adapters' own operations added."
SHARED_NOTE = "A recipe that two multi-task experiments have in common is fitted once, but counted in both."


@dataclass(frozen=True)
class Asked:
    """A study or an experiment; `recipe` is what its fits are like on the whole.

    `is_one_command` says that it is started once, not once for each stage.
    """

    title: str
    encoder: str
    recipe: Recipe
    samples: tuple[str, ...]
    stages: Callable[[Predictor], Iterable[StagePlan]]
    notes: tuple[str, ...] = ()
    is_one_command: bool = True


def freeze_asked(ctx: Context, name: str) -> Asked:
    """Return what `freeze.<name>` asks for."""
    spec = ctx.sweep(name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        fits = _sweep(spec, levels(spec.n_frozen, predictor.n_layers, f"freeze.{name}.n_frozen"))
        for sample in spec.samples:
            spent = spent_on(_swept_already(ctx, name, spec, predictor, sample))
            yield predictor.stage(sample, sample, fits, "test", spent)

    return Asked(f"freeze {name}", spec.encoder, spec.recipe, spec.samples, stages)


def _sweep(spec: FreezeSpec, grid: Iterable[Level]) -> list[Fits]:
    """Return a sample's fits by level; the search's fits at the rate that it finds are the first ones of the sweep."""
    n_searched, rate = (len(spec.rates) - 1) * spec.n_search_seeds, spec.rates[0]
    nobody = swept_cells.SweptSample("", "", (), "test")
    cells = [swept_cells.Cell(nobody, level, rate, 0, 0) for level in grid]
    return [
        Fits(
            cell.level.name,
            [swept_cells.cell_recipe(spec, cell)],
            spec.n_seeds + (n_searched if cell.level.name == NONE else 0),
        )
        for cell in cells
    ]


def _swept_already(ctx: Context, name: str, spec: FreezeSpec, predictor: Predictor, sample: str) -> list[Done]:
    """Return the cells that are done, and of the search what is no cell: that is in the ledger alone."""
    found = cells_done(
        ctx.paths.freeze(name).with_suffix(".jsonl"),
        lambda cell: _level(cell["n_frozen"]) if cell["sample"] == sample else None,
    )
    drawn = predictor.samples.get(sample)
    if not isinstance(drawn, Sample):
        return found
    full, own = levels(("none",), predictor.n_layers), swept(name, spec, drawn)
    grid = swept_cells.cells(spec, own, full, spec.rates, spec.n_search_seeds)
    jobs = [swept_cells.cell_job(spec, cell, predictor.spec) for cell in grid]
    searched = ledger_done(ctx.paths.ledger(f"freeze-{name}"), jobs, NONE)
    return [*found, *(fit for fit in searched if fit not in found)]


def _level(n_frozen: int | None) -> str:
    return NONE if n_frozen is None else str(n_frozen)


def schemes_asked(ctx: Context, name: str) -> Asked:
    """Return what `schemes.<name>` asks for."""
    spec = ctx.testbed(name)
    in_registry = [one for one in spec.schedules if "@" in one]
    adapted = any(one.adapter for one in spec.combinations)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        known = [one for one in spec.schedules if one not in in_registry]
        schedules = {one: pull(str(ctx.paths.root / one) if one.endswith(".json") else one) for one in known}
        cells = ctx.paths.schemes(name).with_suffix(".jsonl")
        for sample in spec.samples:
            fits = [
                Fits(one.name, [recipe_of(spec, stand_in, sample, schedules, predictor.n_layers)], spec.n_seeds)
                for one in spec.combinations
                for stand_in in [_without(one, in_registry)]
            ]
            yield predictor.stage(sample, sample, fits, spent=spent_on(cells_done(cells, _combination_on(sample))))

    notes = [ADAPTERS_NOTE] if adapted else []
    if in_registry:
        notes.append(f"{', '.join(in_registry)}: counted as if everything learned; the registry is not asked.")
    return Asked(f"schemes {name}", spec.encoder, spec.recipe, spec.samples, stages, tuple(notes))


def _combination_on(sample: str) -> Callable[[Mapping[str, Any]], str | None]:
    def name(cell: Mapping[str, Any]) -> str | None:
        return f"{cell['scheme']}/{cell['adapter']}/{cell['curve']}" if cell["sample"] == sample else None

    return name


def _without(combination: Combination, schedules: Sequence[str]) -> Combination:
    """Leave out what only the registry knows: the recipe's own rates open everything."""
    known = [part for part in parts_of(combination.scheme) if part not in schedules]
    return replace(combination, scheme="+".join(known) or FIXED)


def multitask_asked(ctx: Context, name: str) -> Asked:
    """Return what `multitask.<name>` asks for."""
    spec = ctx.mixing(name)
    scored = None if spec.score_on == "validation" else spec.score_on
    recipes = spec.recipes()

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        done = cells_done(ctx.paths.multitask(name).with_suffix(".jsonl"), lambda cell: str(cell["cell"]))
        for cell, recipe in recipes.items():
            spent = spent_on(fit for fit in done if fit.kind == cell)
            yield predictor.stage(cell, spec.sample, [Fits(cell, [recipe], spec.n_seeds)], scored, spent)

    notes = [ADAPTERS_NOTE] if any(recipe.adapter for recipe in recipes.values()) else []
    notes += [SHARED_NOTE] if len(ctx.params.multitask) > 1 else []
    return Asked(f"multitask {name}", spec.encoder, spec.recipe, (spec.sample,), stages, tuple(notes))
