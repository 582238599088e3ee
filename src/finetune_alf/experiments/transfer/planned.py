"""The planned fits of a study's transfers."""

from collections.abc import Iterator

from finetune_alf.experiments.scheme_plan import planned_notes, planned_recipes
from finetune_alf.experiments.transfer.cells import cell_job, cells
from finetune_alf.experiments.transfer.section import SECTION
from finetune_alf.planning.elapsed import finished_cells
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_jobs import StageJobs
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.planning.study import recipes_of_space
from finetune_alf.register.lock import read_lock
from finetune_alf.running.context import Context


def transfer_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the cells of a study on every sample of `transfer.samples`."""
    spec, transfer = ctx.study(name), SECTION.of(ctx.params)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        searched, lock = recipes_of_space(spec, predictor.n_layers), ctx.paths.schedules(name)
        found = read_lock(lock) if lock.exists() else None
        recipes = planned_recipes(ctx, transfer.schemes, spec.recipe, predictor.n_layers, searched, found)
        grid, precision = cells(recipes.known, transfer.n_seeds, transfer.seed), predictor.fit_runner.compute.precision
        others = [FitGroup(scheme, some, transfer.n_seeds, "test") for scheme, some in recipes.unknown.items()]
        for sample in transfer.samples:
            drawn = predictor.samples.get(sample)
            if drawn is None:
                yield predictor.unprepared(sample, sample, len(recipes.each) * transfer.n_seeds)
                continue
            digest, path = drawn.card.digest, ctx.paths.cells("transfer", name, sample)
            jobs = [(each.scheme, cell_job(each, predictor.spec, digest, precision, spec.metric)) for each in grid]
            finished = finished_cells(
                path, lambda cell: next((one for one in recipes.unknown if one == cell["scheme"]), None), {digest}
            )
            planned = StageJobs.of(ctx, predictor, f"transfer-{name}-{sample}")
            yield from planned.stage(sample, sample, jobs, others, finished)

    notes = planned_notes(transfer.schemes, spec.recipe)
    title, samples = f"transfer {name}", transfer.samples
    return PlannedFits(title, spec.encoder, spec.recipe, samples, stages, notes, is_one_command=False)
