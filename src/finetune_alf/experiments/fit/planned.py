"""The planned fits of a classifier for use: one by its scheme, and one on all texts under `train_on: all`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from finetune_alf.classifier.record import is_saved
from finetune_alf.data.sample import Sample
from finetune_alf.experiments.fit.all_texts import all_texts, recipe_on_all
from finetune_alf.experiments.fit.scheme import check_can_be_fitted, chosen_scheme
from finetune_alf.experiments.fit.section import SECTION
from finetune_alf.experiments.fit.spec import RECOMMENDED, FitSpec
from finetune_alf.experiments.scheme_plan import planned_recipes
from finetune_alf.experiments.scheme_spec import AnyScheme, schemes_named
from finetune_alf.experiments.transfer.cells import Cell, cell_job, cells
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import elapsed_of, finished_fit
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.planning.study import recipes_of_space
from finetune_alf.recipe import AnyRecipe
from finetune_alf.register.lock import read_lock
from finetune_alf.register.recommend import BASELINE
from finetune_alf.running.context import Context
from finetune_alf.train.result import RecordedFit

NOTE = "What will be recommended is not known: a classifier is planned as plain fine-tuning."


def fit_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fit of `fit.<name>`."""
    study, spec = ctx.study(name), entry(SECTION.key, SECTION.of(ctx.params), name)
    is_open = spec.scheme == RECOMMENDED
    is_known = not is_open or ctx.paths.schedules(name).exists()
    chosen = chosen_scheme(ctx, name, spec) if is_known else None
    scheme = chosen.scheme if chosen else schemes_named(BASELINE)[0]

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        yield from _FitPlan(ctx, name, spec, predictor).stages(scheme)

    why = (f"{chosen.scheme.label} is recommended: {chosen.why}.",) if chosen and is_open else ()
    notes = why if chosen else (NOTE,)
    return PlannedFits(f"fit {name}", study.encoder, study.recipe, (study.sample,), stages, notes)


@dataclass(frozen=True)
class _FitPlan:
    """The fits of one classifier; those are finished whose classifier is saved, or was before that on all texts."""

    ctx: Context
    name: str
    spec: FitSpec
    predictor: Predictor

    def stages(self, scheme: AnyScheme) -> Iterator[StagePlan]:
        """Yield the fit on the training split, and that on all texts."""
        name, is_on_all = self.ctx.study(self.name).sample, self.spec.train_on == "all"
        sample, of_all = self.predictor.samples.get(name), f"{name}, all texts"
        if not isinstance(sample, Sample):
            yield from (self.predictor.unprepared(stage, name, 1) for stage in (name, *([of_all] if is_on_all else [])))
            return
        recipes, cell = self._recipes(scheme)
        whole = all_texts(self.ctx, sample) if is_on_all else None
        first, second = self._finished(cell, sample, whole) if cell else (None, None)
        yield self._stage(name, sample, scheme.label, recipes, first)
        if whole is not None:
            yield self._stage(of_all, whole, scheme.label, recipes, second)

    def _recipes(self, scheme: AnyScheme) -> tuple[Sequence[AnyRecipe], Cell | None]:
        """Return the recipes that the scheme may have, and the cell of the fit where there is but one."""
        ctx, study, n_layers = self.ctx, self.ctx.study(self.name), self.predictor.n_layers
        path, searched = ctx.paths.schedules(self.name), recipes_of_space(study, n_layers)
        lock = read_lock(path) if path.exists() else None
        recipes = planned_recipes(ctx, [scheme], study.recipe, n_layers, searched, lock)
        own = recipes.each.get(scheme.label, ())
        check_can_be_fitted(ctx, self.name, scheme.label, own[0] if own else None)
        return own, next(iter(cells(recipes.known, 1, self.spec.seed)), None)

    def _finished(
        self, cell: Cell, sample: Sample, whole: Sample | None
    ) -> tuple[RecordedFit | None, RecordedFit | None]:
        """Return the results of the fits that are not done again; the folder holds the classifier of the last one."""
        ledger, folder = Ledger(self.ctx.paths.ledger(f"fit-{self.name}")), self.ctx.paths.model(self.name)
        own = self._job(cell, sample)
        first = ledger.find(own)
        if first is None:
            return None, None
        if whole is not None:
            n_first, n_all = (len(each.splits["train"].labels) for each in (sample, whole))
            second = self._job(replace(cell, recipe=recipe_on_all(cell.recipe, first, n_first, n_all)), whole)
            if is_saved(folder, ledger.identity(second)):
                return first, ledger.find(second)
        return (first if is_saved(folder, ledger.identity(own)) else None), None

    def _job(self, cell: Cell, sample: Sample) -> FitJob:
        precision, metric = self.predictor.fit_runner.compute.precision, self.ctx.study(self.name).metric
        return cell_job(cell, self.predictor.spec, sample.card.digest, precision, metric)

    def _stage(
        self, stage: str, sample: Sample, kind: str, recipes: Sequence[AnyRecipe], result: RecordedFit | None
    ) -> StagePlan:
        costs = {kind: [self.predictor.cost(sample, each, "test") for each in recipes]}
        elapsed = elapsed_of([finished_fit(kind, result)] if result else [])
        return self.predictor.planned(stage, sample.name, {kind: 1}, costs, elapsed)
