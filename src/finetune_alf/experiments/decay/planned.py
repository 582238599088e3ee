"""The planned fits of a decay grid: every rate with every factor."""

from collections.abc import Iterator

from finetune_alf.experiments.decay.section import SECTION
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import elapsed_of, finished_cells
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context


def decay_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `decay.<name>`."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        fits = [FitGroup(_kind(*pair), [spec.recipe_at(*pair)], spec.n_seeds) for pair in spec.grid]
        done = finished_cells(ctx.paths.cells("decay", name), lambda cell: _kind(cell["rate"], cell["factor"]))
        yield predictor.stage(spec.sample, spec.sample, fits, "test", elapsed_of(done))

    return PlannedFits(f"decay {name}", spec.encoder, spec.recipe, (spec.sample,), stages)


def _kind(rate: float, factor: float) -> str:
    return f"{rate:g}/{factor:g}"
