"""The fits of a registration: single rates, scored on the validation split, then the confirmations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from finetune_alf.data.mixture import task_infos
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.rates import LayerRates
from finetune_alf.recipe.task_plans import task_plans
from finetune_alf.register.confirm import Confirmation, confirmation_jobs, confirmations
from finetune_alf.register.single_rate import SingleRate, best_single_rate, n_rounds, single_rate_jobs
from finetune_alf.running.bench import Bench
from finetune_alf.running.cell_runs import FitLine, fields_of
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, Fitter, LoggedFields
from finetune_alf.running.parent_run import Runs
from finetune_alf.train.result import RecordedFit


@dataclass(frozen=True)
class RegistrationFits:
    """Does the fits for the registration of the study `name`; all of them are kept in one ledger.

    `lines` are those of the fits that are done, for the results.
    """

    ctx: Context
    name: str
    bench: Bench
    runs: Runs
    lines: list[dict[str, Any]] = field(default_factory=list)

    def search_single_rate(self, baseline: LayerRates, n_trials: int) -> SingleRate:
        """Return the best single rate of the study's grid, with the baseline's head, after as many fits as trials."""
        grid, seed = self.bench.study.space.positive_grid, self.ctx.params.register_.seed
        n_each = n_rounds(n_trials, grid)
        jobs = single_rate_jobs(grid, baseline, self._template, n_each, seed)
        results = self._fit("single rate", jobs, is_search=True)
        return best_single_rate(self.name, grid, results, n_each)

    def confirm(self, rates: Mapping[str, LayerRates]) -> dict[str, Confirmation]:
        """Return the confirmation of each of the named rates; those of which any fit diverged are left out."""
        spec, study, sample = self.ctx.params.register_, self.bench.study, self.bench.sample
        results = self._fit("confirm", confirmation_jobs(rates, self._template, spec.n_seeds, spec.seed))
        truths = {task: one.splits["confirmation"].labels for task, one in sample.tasks.items()}
        plans = task_plans(study.recipe, task_infos(sample), study.metric)
        metrics = {task: plan.metric for task, plan in plans.items()}
        return confirmations(rates, results, self._template, spec.n_seeds, truths, metrics)

    @property
    def _template(self) -> FitJob:
        study, digest = self.bench.study, self.bench.sample.card.digest
        precision = self.ctx.compute.precision
        return FitJob("", study.recipe, self.bench.encoder_spec, digest, 0, precision, metric=study.metric)

    def _fit(self, label: str, jobs: Sequence[FitJob], *, is_search: bool = False) -> Mapping[str, RecordedFit]:
        bench, stage = self.bench, f"register-{self.name}"

        def line(job: FitJob, result: RecordedFit) -> FitLine:
            return FitLine(seed=job.seed, **fields_of(result))

        def logged(job: FitJob, result: RecordedFit) -> LoggedFields:
            scores = {f"{job.score_on}.{bench.study.score_name}": result.score}
            candidate = {"alf.candidate": job.key.partition("/")[0]} if job.score_on == "confirmation" else {}
            return LoggedFields(scores, {**bench.tags, **candidate, "alf.seed": str(job.seed)})

        with self.ctx.console.progress(f"{label} {self.name}", len(jobs)) as bar:
            ledger, n_layers = Ledger(self.ctx.paths.ledger(stage)), bench.encoder.n_layers
            fitter = Fitter(self.ctx, stage, ledger, bench.fit_runner, n_layers, self.runs, bar, is_search)
            kind = CellKind[FitJob](lambda job: job, line, logged)
            fits = fitter.fit(jobs, kind)
        self.lines.extend(fitter.line(job, result, kind) for job, result in fits)
        return {job.key: result for job, result in fits}
