"""The planned fits of a decay grid: every rate with every factor."""

from collections.abc import Iterator

from finetune_alf.experiments.decay.cells import cell_job, cells
from finetune_alf.experiments.decay.section import SECTION
from finetune_alf.params.section import entry
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import Predictor
from finetune_alf.planning.stage_jobs import StageJobs
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context


def decay_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `decay.<name>`."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        grid, sample = cells(spec), predictor.samples.get(spec.sample)
        if sample is None:
            yield predictor.unprepared(spec.sample, spec.sample, len(grid))
            return
        digest, precision = sample.card.digest, predictor.fit_runner.compute.precision
        jobs = [(_kind(cell.rate, cell.factor), cell_job(cell, predictor.spec, digest, precision)) for cell in grid]
        yield from StageJobs.of(ctx, predictor, f"decay-{name}").stage(spec.sample, spec.sample, jobs)

    return PlannedFits(f"decay {name}", spec.encoder, spec.recipe, (spec.sample,), stages)


def _kind(rate: float, factor: float) -> str:
    return f"{rate:g}/{factor:g}"
