"""The planned fits of a forgetting experiment: every rate, at the same cost."""

from collections.abc import Iterator

from finetune_alf.experiments.forgetting.cells import SCORED_ON
from finetune_alf.experiments.forgetting.section import SECTION
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import elapsed_of, finished_cells
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context


def forgetting_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `forgetting.<name>`."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        fits = [FitGroup(f"{rate:g}", [spec.recipe_at(rate)], spec.n_seeds) for rate in spec.rates]
        done = finished_cells(ctx.paths.cells("forgetting", name), lambda cell: f"{cell['rate']:g}")
        yield predictor.stage(spec.sample, spec.sample, fits, SCORED_ON, elapsed_of(done))

    recipe = spec.recipe_at(min(spec.rates))
    return PlannedFits(f"forgetting {name}", spec.encoder, recipe, (spec.sample,), stages)
