"""The planned fits of a labels experiment: every scheme at every number of texts, by the texts of the first draw."""

from collections.abc import Iterator

from finetune_alf.data.sample import Sample
from finetune_alf.experiments.labels.draws import drawn_sample, fit_seeds
from finetune_alf.experiments.labels.section import SECTION
from finetune_alf.experiments.labels.spec import LabelsSpec
from finetune_alf.experiments.scheme_plan import planned_notes, planned_recipes
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import ElapsedTime, elapsed_of, finished_cells
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context


def labels_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `labels.<name>`."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        for sample in spec.samples:
            yield _stage(ctx, spec, predictor, sample, _elapsed(ctx, name, sample))

    notes = planned_notes(spec.schemes, spec.recipe)
    return PlannedFits(f"labels {name}", spec.encoder, spec.recipe, spec.samples, stages, notes)


def _stage(ctx: Context, spec: LabelsSpec, predictor: Predictor, sample: str, elapsed: ElapsedTime | None) -> StagePlan:
    """Plan the fits on a sample; one that is not prepared has their number alone."""
    loaded = predictor.samples.get(sample)
    n_fits = {_kind(scheme.label, n): spec.n_seeds for n in spec.n_train for scheme in spec.schemes}
    if not isinstance(loaded, Sample):
        return predictor.unprepared(sample, sample, sum(n_fits.values()), elapsed)
    recipes = planned_recipes(ctx, spec.schemes, spec.recipe, predictor.n_layers, [spec.recipe])
    costs = {
        _kind(scheme, n): [predictor.cost(drawn, recipe, "test") for recipe in some]
        for n in spec.n_train
        for drawn in [drawn_sample(spec, loaded, n, fit_seeds(spec)[0])]
        for scheme, some in recipes.items()
    }
    return predictor.planned(sample, sample, n_fits, costs, elapsed)


def _elapsed(ctx: Context, name: str, sample: str) -> ElapsedTime | None:
    path = ctx.paths.cells("labels", name)
    return elapsed_of(
        finished_cells(path, lambda cell: _kind(cell["scheme"], cell["n_train"]) if cell["sample"] == sample else None)
    )


def _kind(scheme: str, n_train: int) -> str:
    return f"{scheme}/{n_train}"
