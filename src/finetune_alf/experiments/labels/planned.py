"""The planned fits of a labels experiment: every scheme at every number of texts, by the texts of the first draw."""

from collections.abc import Iterator

from finetune_alf.data.sample import Sample
from finetune_alf.experiments.labels.cells import cell_job, cells
from finetune_alf.experiments.labels.draws import draws
from finetune_alf.experiments.labels.section import SECTION
from finetune_alf.experiments.labels.spec import LabelsSpec
from finetune_alf.experiments.scheme_plan import planned_notes, planned_recipes
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import elapsed_of, finished_cells
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_jobs import StageJobs, merged
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context


def labels_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `labels.<name>`."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        planned = StageJobs.of(ctx, predictor, f"labels-{name}")
        for sample in spec.samples:
            yield from _stage(ctx, name, spec, planned, sample)

    notes = planned_notes(spec.schemes, spec.recipe)
    return PlannedFits(f"labels {name}", spec.encoder, spec.recipe, spec.samples, stages, notes)


def _stage(ctx: Context, name: str, spec: LabelsSpec, planned: StageJobs, sample: str) -> Iterator[StagePlan]:
    """Yield the plan of the fits on a sample; one that is not prepared has their number alone."""
    predictor = planned.predictor
    loaded, n_each = predictor.samples.get(sample), spec.n_seeds
    if not isinstance(loaded, Sample):
        yield predictor.unprepared(sample, sample, len(spec.n_train) * len(spec.schemes) * n_each)
        return
    recipes = planned_recipes(ctx, spec.schemes, spec.recipe, predictor.n_layers, [spec.recipe])
    drawn, precision = draws(spec, {sample: loaded}), predictor.fit_runner.compute.precision
    groups, finished = planned.count(
        (_kind(cell.scheme, cell.draw.n_train), cell_job(cell, predictor.spec, precision, spec.metric))
        for cell in cells(drawn, recipes.known)
    )
    groups += [
        FitGroup(_kind(scheme, n), some, n_each) for scheme, some in recipes.unknown.items() for n in spec.n_train
    ]
    finished += finished_cells(
        ctx.paths.cells("labels", name),
        lambda cell: (
            _kind(cell["scheme"], cell["n_train"])
            if cell["sample"] == sample and cell["scheme"] in recipes.unknown
            else None
        ),
        {draw.digest for draw in drawn},
    )
    first = {draw.n_train: draw.drawn for draw in reversed(drawn)}
    costs = {
        _kind(scheme, n): [predictor.cost(own, recipe, "test") for recipe in some]
        for n, own in first.items()
        for scheme, some in recipes.each.items()
    }
    n_fits = {group.kind: group.n for group in merged(groups)}
    if n_fits:
        yield predictor.planned(sample, sample, n_fits, costs, elapsed_of(finished))


def _kind(scheme: str, n_train: int) -> str:
    return f"{scheme}/{n_train}"
