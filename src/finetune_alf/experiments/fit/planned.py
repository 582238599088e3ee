"""The planned fits of a classifier for use: one by its scheme, and one on all texts under `train_on: all`."""

from collections.abc import Iterator

from finetune_alf.data.sample import Sample
from finetune_alf.experiments.fit.all_texts import all_texts
from finetune_alf.experiments.fit.scheme import chosen_scheme
from finetune_alf.experiments.fit.section import SECTION
from finetune_alf.experiments.fit.spec import RECOMMENDED
from finetune_alf.experiments.scheme_plan import planned_recipes
from finetune_alf.experiments.scheme_spec import schemes_named
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import elapsed_of, finished_cells
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.planning.study import recipes_of_space
from finetune_alf.register.recommend import BASELINE
from finetune_alf.running.context import Context

NOTE = "What will be recommended is not known: a classifier is planned as plain fine-tuning."


def fit_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fit of `fit.<name>`."""
    study, spec = ctx.study(name), entry(SECTION.key, SECTION.of(ctx.params), name)
    is_open = spec.scheme == RECOMMENDED
    chosen = chosen_scheme(ctx, name, spec) if is_open and ctx.paths.schedules(name).exists() else None
    schemes = (chosen.scheme,) if chosen else schemes_named(BASELINE if is_open else spec.scheme)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        searched = recipes_of_space(study, predictor.n_layers)
        recipes = planned_recipes(ctx, schemes, study.recipe, predictor.n_layers, searched)
        fits = [FitGroup(scheme, some, 1) for scheme, some in recipes.items()]
        done = finished_cells(
            ctx.paths.cells("fit", name), lambda cell: cell["scheme"] if cell["scheme"] in recipes else None
        )
        yield predictor.stage(study.sample, study.sample, fits, "test", elapsed_of(done))
        sample = predictor.samples.get(study.sample)
        if spec.train_on == "all" and isinstance(sample, Sample):
            whole = all_texts(ctx, sample)
            costs = {scheme: [predictor.cost(whole, each, "test") for each in some] for scheme, some in recipes.items()}
            yield predictor.planned(f"{study.sample}, all texts", study.sample, dict.fromkeys(costs, 1), costs)

    notes = (f"{chosen.scheme.label} is recommended: {chosen.why}.",) if chosen else (NOTE,) if is_open else ()
    return PlannedFits(f"fit {name}", study.encoder, study.recipe, (study.sample,), stages, notes)
