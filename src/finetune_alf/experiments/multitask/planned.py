"""The planned fits of a multi-task experiment: every cell on the mixture."""

from collections.abc import Iterator

from finetune_alf.experiments.multitask.cells import cell_job, cells
from finetune_alf.experiments.multitask.section import SECTION
from finetune_alf.params.section import entry
from finetune_alf.planning.planned import ADAPTERS_NOTE, PlannedFits
from finetune_alf.planning.predict import Predictor
from finetune_alf.planning.stage_jobs import StageJobs
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context

SHARED_NOTE = "A recipe that two multi-task experiments have in common is fitted once, but counted in both."


def multitask_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `multitask.<name>`."""
    experiments = SECTION.of(ctx.params)
    spec = entry("multitask", experiments, name)
    recipes = spec.recipes()

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        sample, precision = predictor.samples.get(spec.sample), predictor.fit_runner.compute.precision
        if sample is None:
            yield from (predictor.unprepared(cell, spec.sample, spec.n_seeds) for cell in recipes)
            return
        planned, digest = StageJobs.of(ctx, predictor, "multitask"), sample.card.digest
        jobs = [(cell.name, cell_job(cell, spec, predictor.spec, digest, precision)) for cell in cells(spec)]
        for cell in recipes:
            yield from planned.stage(cell, spec.sample, [each for each in jobs if each[0] == cell])

    notes = [ADAPTERS_NOTE] if any(recipe.adapter for recipe in recipes.values()) else []
    notes += [SHARED_NOTE] if len(experiments) > 1 else []
    return PlannedFits(f"multitask {name}", spec.encoder, spec.recipe, (spec.sample,), stages, tuple(notes))
