"""The planned fits of a multi-task experiment: every cell on the mixture."""

from collections.abc import Iterator

from finetune_alf.experiments.multitask.section import SECTION
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import elapsed_of, finished_cells
from finetune_alf.planning.planned import ADAPTERS_NOTE, PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context

SHARED_NOTE = "A recipe that two multi-task experiments have in common is fitted once, but counted in both."


def multitask_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `multitask.<name>`."""
    experiments = SECTION.of(ctx.params)
    spec = entry("multitask", experiments, name)
    scored = None if spec.score_on == "validation" else spec.score_on
    recipes = spec.recipes()

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        done = finished_cells(ctx.paths.cells("multitask", name), lambda cell: str(cell["cell"]))
        for cell, recipe in recipes.items():
            elapsed = elapsed_of(fit for fit in done if fit.kind == cell)
            yield predictor.stage(cell, spec.sample, [FitGroup(cell, [recipe], spec.n_seeds)], scored, elapsed)

    notes = [ADAPTERS_NOTE] if any(recipe.adapter for recipe in recipes.values()) else []
    notes += [SHARED_NOTE] if len(experiments) > 1 else []
    return PlannedFits(f"multitask {name}", spec.encoder, spec.recipe, (spec.sample,), stages, tuple(notes))
