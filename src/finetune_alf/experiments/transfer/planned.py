"""The planned fits of a study's transfers."""

from collections.abc import Iterator, Sequence

from finetune_alf.experiments.transfer.schemes import scheme_recipes
from finetune_alf.experiments.transfer.section import SECTION
from finetune_alf.experiments.transfer.spec import TransferSpec
from finetune_alf.planning.elapsed import elapsed_of, finished_cells
from finetune_alf.planning.planned import ADAPTERS_NOTE, PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor, StagePlan
from finetune_alf.planning.study import recipes_of_space
from finetune_alf.recipe import Recipe
from finetune_alf.running.context import Context
from finetune_alf.study.spec import StudySpec


def transfer_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the cells of a study on every sample of `transfer.samples`."""
    spec, transfer = ctx.study(name), SECTION.of(ctx.params)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        fits = _fits(spec, transfer, predictor.n_layers, recipes_of_space(spec, predictor.n_layers))
        for sample in transfer.samples:
            done = finished_cells(ctx.paths.cells("transfer", name, sample), lambda cell: str(cell["scheme"]))
            yield predictor.stage(sample, sample, fits, "test", elapsed_of(done))

    notes = (ADAPTERS_NOTE,) if spec.recipe.adapter is not None else ()
    title, samples = f"transfer {name}", transfer.samples
    return PlannedFits(title, spec.encoder, spec.recipe, samples, stages, notes, is_one_command=False)


def _fits(spec: StudySpec, transfer: TransferSpec, n_layers: int, searched: Sequence[Recipe]) -> list[FitGroup]:
    """Return the fits of each scheme; for a schedule to be registered, any recipe of the study's space."""
    known = [scheme for scheme in transfer.schemes if not scheme.startswith("alf-")]
    recipes = scheme_recipes(known, spec.recipe, {}, n_layers, transfer.decay)
    return [
        FitGroup(scheme, [recipes[scheme]] if scheme in recipes else searched, transfer.n_seeds)
        for scheme in transfer.schemes
    ]
