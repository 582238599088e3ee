"""The planned fits of a forgetting experiment: every rate, at the same cost."""

from collections.abc import Iterator

from finetune_alf.experiments.forgetting.cells import cell_job, cells
from finetune_alf.experiments.forgetting.section import SECTION
from finetune_alf.params.section import entry
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import Predictor
from finetune_alf.planning.stage_jobs import StageJobs
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context


def forgetting_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `forgetting.<name>`."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        grid, sample = cells(spec), predictor.samples.get(spec.sample)
        if sample is None:
            yield predictor.unprepared(spec.sample, spec.sample, len(grid))
            return
        digest, precision = sample.card.digest, predictor.fit_runner.compute.precision
        jobs = [(f"{cell.rate:g}", cell_job(cell, predictor.spec, digest, precision)) for cell in grid]
        yield from StageJobs.of(ctx, predictor, f"forgetting-{name}").stage(spec.sample, spec.sample, jobs)

    recipe = spec.recipe_at(min(spec.rates))
    return PlannedFits(f"forgetting {name}", spec.encoder, recipe, (spec.sample,), stages)
