"""The planned fits of a study's transfers."""

from collections.abc import Iterator

from finetune_alf.experiments.scheme_plan import planned_notes, planned_recipes
from finetune_alf.experiments.transfer.section import SECTION
from finetune_alf.planning.elapsed import elapsed_of, finished_cells
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.planning.study import recipes_of_space
from finetune_alf.running.context import Context


def transfer_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the cells of a study on every sample of `transfer.samples`."""
    spec, transfer = ctx.study(name), SECTION.of(ctx.params)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        searched = recipes_of_space(spec, predictor.n_layers)
        recipes = planned_recipes(ctx, transfer.schemes, spec.recipe, predictor.n_layers, searched)
        fits = [FitGroup(scheme, some, transfer.n_seeds) for scheme, some in recipes.items()]
        for sample in transfer.samples:
            done = finished_cells(ctx.paths.cells("transfer", name, sample), lambda cell: str(cell["scheme"]))
            yield predictor.stage(sample, sample, fits, "test", elapsed_of(done))

    notes = planned_notes(transfer.schemes, spec.recipe)
    title, samples = f"transfer {name}", transfer.samples
    return PlannedFits(title, spec.encoder, spec.recipe, samples, stages, notes, is_one_command=False)
