"""The fits of a freeze sweep, planned: the line search on the full model, and every level."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from finetune_alf.data.sample import Sample
from finetune_alf.errors import InputError
from finetune_alf.experiments.freeze.bench import levels_of, sweep_sample
from finetune_alf.experiments.freeze.cells import Cell, cell_job, cells, level_recipe
from finetune_alf.experiments.freeze.levels import FULL_MODEL, Level
from finetune_alf.experiments.freeze.line_search import line_search
from finetune_alf.experiments.freeze.section import SECTION
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.jobs.job import FitJob
from finetune_alf.params.section import entry
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_jobs import StageJobs
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context


def freeze_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the fits of `freeze.<name>`."""
    spec = entry("freeze", SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        planned = StageJobs.of(ctx, predictor, f"freeze-{name}")
        for sample in spec.samples:
            yield from _SamplePlan(name, spec, planned).stage(sample)

    return PlannedFits(f"freeze {name}", spec.encoder, spec.recipe, spec.samples, stages)


@dataclass(frozen=True)
class _SamplePlan:
    """The fits of one sample in a sweep."""

    name: str
    spec: FreezeSpec
    planned: StageJobs

    def stage(self, name: str) -> Iterator[StagePlan]:
        """Yield the plan: at which rate the levels are fitted is known after the line search alone."""
        spec, predictor = self.spec, self.planned.predictor
        grid, sample = self._levels, predictor.samples.get(name)
        if not isinstance(sample, Sample):
            n_levels = len(grid) * spec.n_seeds
            n_search_only = (len(spec.rates) - 1) * spec.n_search_seeds
            yield predictor.unprepared(name, name, n_levels + n_search_only)
            return
        own = sweep_sample(self.name, spec, sample)
        search = cells(spec, own, grid[:1], spec.rates, spec.n_search_seeds)
        rate = self._searched_rate(search)
        swept = [] if rate is None else cells(spec, own, grid, [rate], spec.n_seeds)
        others = list(self._levels_at_any_rate(own.score_on)) if rate is None else []
        yield from self.planned.stage(
            name, name, [(cell.level.name, self._job(cell)) for cell in search + swept], others
        )

    @property
    def _levels(self) -> tuple[Level, ...]:
        return levels_of(self.name, self.spec, self.planned.predictor.n_layers)

    def _job(self, cell: Cell) -> FitJob:
        predictor = self.planned.predictor
        return cell_job(self.spec, cell, predictor.spec, predictor.fit_runner.compute.precision)

    def _searched_rate(self, search: Sequence[Cell]) -> float | None:
        """Return the rate that the line search found; None before it is done, or where every rate diverged."""
        results = self.planned.results(map(self._job, search))
        if results is None:
            return None
        try:
            return line_search(self.name, [(cell.rate, results[cell.key]) for cell in search]).rate
        except InputError:
            return None  # the stage says so

    def _levels_at_any_rate(self, scored: str) -> Iterator[FitGroup]:
        """Yield the fits of the levels; those of the search at the selected rate are the first ones of the sweep."""
        for level in self._levels:
            n_done = self.spec.n_search_seeds if level.name == FULL_MODEL else 0
            recipe = level_recipe(self.spec, level, self.spec.rates[0])
            yield FitGroup(level.name, [recipe], self.spec.n_seeds - n_done, None if scored == "validation" else scored)
