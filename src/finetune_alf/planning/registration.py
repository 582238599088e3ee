"""The fits of a registration, planned: those that are known from the trials and their results, and how many others."""

from collections.abc import Iterator, Sequence

from finetune_alf.errors import InputError, PartialError
from finetune_alf.jobs.job import FitJob
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_jobs import KindOfJob, StageJobs
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.planning.trials import FinishedTrials
from finetune_alf.rates import LayerRates
from finetune_alf.recipe import Recipe
from finetune_alf.register.candidates import select_trials
from finetune_alf.register.confirm import BASELINE, SINGLE_RATE, confirmation_jobs, trial_name
from finetune_alf.register.single_rate import best_single_rate, n_rounds, single_rate_jobs, uniform_rates
from finetune_alf.register.spec import RegisterSpec
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.spec import StudySpec


def registration_plan(
    predictor: Predictor, name: str, spec: StudySpec, trials: FinishedTrials, searched: Sequence[Recipe]
) -> Iterator[StagePlan]:
    """Yield the plan of a registration: which trials are confirmed is known after the search alone."""
    register, sample = predictor.ctx.params.register_, predictor.samples.get(spec.sample)
    if sample is None:
        n_confirmed = (register.n_top + 2) * register.n_seeds
        n_fits = len(spec.space.positive_grid) * n_rounds(spec.n_trials, spec.space.positive_grid) + n_confirmed
        yield predictor.unprepared("register", spec.sample, n_fits)
        return
    precision = predictor.ctx.compute.precision
    template = FitJob("", spec.recipe, predictor.spec, sample.card.digest, 0, precision, metric=spec.metric)
    jobs = StageJobs.of(predictor.ctx, predictor, f"register-{name}")
    fits = _Registration(name, spec, register, spec.recipe.rates.at(predictor.n_layers), template, jobs)
    known, others = fits.planned(trials, searched)
    yield from jobs.stage("register", spec.sample, known, others)


class _Registration:
    """The fits of one registration."""

    def __init__(
        self,
        name: str,
        spec: StudySpec,
        register: RegisterSpec,
        baseline: LayerRates,
        template: FitJob,
        jobs: StageJobs,
    ) -> None:
        self.name, self.spec, self.register, self.baseline = name, spec, register, baseline
        self.template, self.jobs, self.grid = template, jobs, spec.space.positive_grid

    def planned(self, trials: FinishedTrials, searched: Sequence[Recipe]) -> tuple[list[KindOfJob], list[FitGroup]]:
        """Return the fits that are known, and the others."""
        register, n_each = self.register, n_rounds(trials.n_trials, self.grid)
        search = single_rate_jobs(self.grid, self.baseline, self.template, n_each, register.seed)
        rates, others = {BASELINE: self.baseline}, list[FitGroup]()
        selected = self._selected(trials)
        if selected is None:
            others.append(FitGroup("confirmation", searched, register.n_top * register.n_seeds, "confirmation"))
        rates = {trial_name(each.number): each.rates for each in selected or ()} | rates
        single = self._single_rate(search, n_each)
        if single is None:
            each = [self.spec.recipe.with_rates(uniform_rates(rate, self.baseline)) for rate in self.grid]
            others.append(FitGroup("best single rate", each, register.n_seeds, "confirmation"))
        else:
            rates[SINGLE_RATE] = uniform_rates(single, self.baseline)
        confirmed = confirmation_jobs(rates, self.template, register.n_seeds, register.seed)
        known = [("single rate", job) for job in search] + [(_kind(job), job) for job in confirmed]
        return known, others

    def _selected(self, trials: FinishedTrials) -> list[TrialRecord] | None:
        """Return the trials that are confirmed; None before the search is done, or where it cannot be registered."""
        n_top, distance = self.register.n_top, self.spec.space.grid_step_distance
        if not trials.is_whole:
            return None
        try:
            return select_trials(trials.records, self.baseline, n_top, distance, self.register.min_distance)
        except InputError:
            return None  # the stage says why it cannot end

    def _single_rate(self, search: Sequence[FitJob], n_each: int) -> float | None:
        results = self.jobs.results(search)
        try:
            return None if results is None else best_single_rate(self.name, self.grid, results, n_each).rate
        except PartialError:
            return None  # the stage says so


def _kind(job: FitJob) -> str:
    name = job.key.partition("/")[0]
    return {BASELINE: "baseline", SINGLE_RATE: "best single rate"}.get(name, "confirmation")
