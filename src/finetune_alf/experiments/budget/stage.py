"""Stage `budget`: do the replicates that are not kept yet, keep each as it ends, and write what follows from all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from finetune_alf.compute.environment import merged, shares
from finetune_alf.data.redraw import POOL
from finetune_alf.documents import EncoderIdentity, Estimate
from finetune_alf.experiments.budget import analysis
from finetune_alf.experiments.budget.arms import arms
from finetune_alf.experiments.budget.document import BudgetDocument, BudgetSample
from finetune_alf.experiments.budget.kept import keep_replicate, lines_of, read_replicates, store
from finetune_alf.experiments.budget.line import ReplicateLine, packed
from finetune_alf.experiments.budget.page import in_short
from finetune_alf.experiments.budget.procedure import Measured, Procedure, Request, Scored
from finetune_alf.experiments.budget.replicates import (
    KEY,
    Replicate,
    drawn_sample,
    n_fits,
    replicates,
    search_sample,
    workplace,
    workplace_of,
)
from finetune_alf.experiments.budget.section import SECTION
from finetune_alf.experiments.budget.spec import BudgetSpec
from finetune_alf.experiments.budget.spread import spreads
from finetune_alf.jobs.job import FitJob, ScoredSplit
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.json_files import write_jsonl
from finetune_alf.metrics import Metric, majority_baseline, sample_metric
from finetune_alf.params.section import entry
from finetune_alf.recipe import AnyRecipe
from finetune_alf.running.bench import SamplesBench, fit_runner_of, open_samples
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import Fitter, LoggedFields, fitting
from finetune_alf.running.summary import ScoreRow, Summary, scores_summary
from finetune_alf.train.result import RecordedFit

_SPLITS: Mapping[str, ScoredSplit] = {"search": "test", "confirmation": "confirmation", "test": "test"}


def budget(ctx: Context, name: str) -> None:
    """Do the replicates of `budget.<name>` that are not kept yet, and write the document after each."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)
    with ctx.lock(f"budget-{name}"):
        run = _open(ctx, name, spec)
        missing = run.missing
        total = len(missing) * n_fits(spec)
        tags = {"alf.budget": name, "alf.encoder": run.encoder.identity}
        with fitting(
            ctx, KEY, name, fit_runner=run.bench.fit_runner, n_layers=run.encoder.n_layers, n_fits=total, tags=tags
        ) as fitter:
            for replicate in missing:
                keep_replicate(run.path, run.fit(fitter, replicate))
                run.write()
                ctx.console.log(f"{name}: replicate {replicate.key} is kept in {run.path}.")
            if document := run.write():
                fitter.runs.show(summary_of(document))
    ctx.console.log(f"{name}: {len(run.lines)} of {len(run.replicates)} replicates.")


@dataclass(frozen=True)
class _Run:
    """A budget with its samples and its encoder loaded."""

    ctx: Context
    name: str
    spec: BudgetSpec
    bench: SamplesBench
    replicates: Sequence[Replicate]

    @property
    def encoder(self) -> EncoderIdentity:
        """Which encoder it is."""
        return self.bench.encoder_identity

    @property
    def path(self) -> Path:
        """The file of finished replicates."""
        return store(self.ctx.paths, self.name, self.spec)

    @property
    def lines(self) -> list[ReplicateLine]:
        """The finished replicates of these params, in order."""
        return lines_of(read_replicates(self.path), self.replicates)

    @property
    def missing(self) -> list[Replicate]:
        """The replicates that are not finished, in order."""
        finished = read_replicates(self.path)
        return [replicate for replicate in self.replicates if replicate.identity not in finished]

    def fit(self, fitter: Fitter, replicate: Replicate) -> ReplicateLine:
        """Do a replicate; its fits are kept until it is finished."""
        drawn = drawn_sample(self.spec, replicate)
        searched = search_sample(self.spec, drawn)
        with workplace(workplace_of(self.ctx.paths, self.name, replicate), (drawn, searched)) as (folders, path):
            ledger = Ledger(path)
            own = replace(fitter, ledger=ledger, fit_runner=fit_runner_of(self.ctx, folders))
            scorer = _Scorer(self, own, replicate, drawn.card.digest, searched.card.digest)
            measured = Procedure(self.spec, self.encoder.n_layers, replicate.seed, scorer).run()
            return self._line(replicate, drawn.card.digest, measured, ledger.results)

    def write(self) -> BudgetDocument | None:
        """Write the finished replicates and the document, the latter beside the kept replicates, too; return it."""
        lines = self.lines
        if not lines:
            return None
        document, paths = self._document(lines), self.ctx.paths
        write_jsonl(paths.cells(KEY, self.name), [line.as_json() for line in lines])
        document.write(paths.document(KEY, self.name))
        if self.spec.keep is not None:
            document.write(self.path.with_suffix(".json"))
        return document

    def _document(self, lines: Sequence[ReplicateLine]) -> BudgetDocument:
        """Return what follows from finished replicates."""
        samples = tuple(self._sample(name, sum(line.sample == name for line in lines)) for name in self.spec.samples)
        is_complete = len(lines) == len(self.replicates)
        shared = {name: getattr(self.spec, name) for name in BudgetDocument.model_fields if hasattr(self.spec, name)}
        return BudgetDocument(
            **{
                **shared,
                "name": self.name,
                "encoder": self.encoder,
                "samples": samples,
                "n_fits": {arm.name: arm.n_fits for arm in arms(self.spec)},
                "n_fits_done": sum(line.n_fits for line in lines),
                "seconds": sum(line.seconds for line in lines),
                "environments": merged(line.environments for line in lines),
                "compared": analysis.compared(lines),
                "diverged": analysis.diverged(lines),
                "contrasts": analysis.contrast_results(lines, self.spec.margin, is_complete=is_complete),
                "curves": analysis.tuning_curves(lines),
                "optimism": analysis.optimism(lines),
                "spreads": spreads(lines),
                "pilot": analysis.pilot(lines, self.spec.n_pilot, self.spec.samples, self.spec.margin),
            }
        )

    def _sample(self, name: str, n_replicates: int) -> BudgetSample:
        sample = self.bench.samples[name]
        truth = sample.splits["test"].labels
        counts = sample.card.counts
        return BudgetSample(
            name=name,
            digest=sample.card.digest,
            pool={label: sum(counts[split][label] for split in POOL) for label in counts["train"]},
            n_test=len(truth),
            majority_baseline=majority_baseline(sample_metric(self.spec.metric, sample.card.n_classes), truth),
            n_replicates=n_replicates,
        )

    def _line(self, replicate: Replicate, drawn: str, measured: Measured, fits: Sequence[RecordedFit]) -> ReplicateLine:
        return ReplicateLine(
            identity=replicate.identity,
            sample=replicate.sample.name,
            index=replicate.index,
            drawn=drawn,
            n_test=len(replicate.sample.splits["test"].texts),
            arms=measured.arms,
            baseline=measured.baseline,
            permuted=measured.permuted,
            random=measured.random,
            probe=measured.probe,
            n_fits=len(fits),
            seconds=round(sum(fit.seconds for fit in fits), 1),
            environments=shares(fit.environment for fit in fits),
        )


@dataclass(frozen=True)
class _Scorer:
    """Scores the fits of one replicate."""

    run: _Run
    fitter: Fitter
    replicate: Replicate
    drawn: str
    searched: str

    def __call__(self, requests: Sequence[Request]) -> list[Scored]:
        jobs = [self._job(request) for request in requests]
        results = self.fitter.fit_jobs(jobs, self._logged)
        return [self._scored(results[job.key], job) for job in jobs]

    def _job(self, request: Request) -> FitJob:
        spec, key = self.run.spec, f"{self.replicate.key}/{request.key}"
        recipe: AnyRecipe = spec.probe if request.rates is None else spec.recipe.with_rates(request.rates)
        encoder, precision = self.run.bench.encoder_spec, self.fitter.fit_runner.compute.precision
        is_search = request.scored_on == "search"
        sample, split = (self.searched if is_search else self.drawn), _SPLITS[request.scored_on]
        return FitJob(key, recipe, encoder, sample, request.seed, precision, split, spec.metric)

    def _scored(self, result: RecordedFit, job: FitJob) -> Scored:
        kept = None if result.kept_epoch is None else result.epochs[result.kept_epoch].validation_score
        return Scored(kept, result.score, self._right(result, job))

    def _right(self, result: RecordedFit, job: FitJob) -> str | None:
        metric = self._metric
        truth = self.replicate.sample.splits["test"].labels
        if metric.is_correct is None or job.score_on != "test" or len(result.predictions) < len(truth):
            return None
        return packed(metric.is_correct(np.asarray(truth), np.asarray(result.predictions)))

    @property
    def _metric(self) -> Metric:
        return sample_metric(self.run.spec.metric, self.replicate.sample.card.n_classes)

    def _logged(self, job: FitJob, result: RecordedFit) -> LoggedFields:
        tags = {
            "alf.encoder": self.run.encoder.identity,
            "alf.sample": self.replicate.sample.name,
            "alf.sample.digest": job.sample,
            "alf.replicate": str(self.replicate.index),
            "alf.seed": str(job.seed),
        }
        return LoggedFields({f"{job.score_on}.{self.run.spec.metric}": result.score}, tags)


def summary_of(document: BudgetDocument) -> Summary:
    """Return the summary of the parent run: what was found, and the scores that have an interval."""
    rows = [
        ScoreRow(name, Estimate(mean=found.mean, low=found.low, high=found.high))
        for name, each in document.compared.items()
        if (found := each.pooled).low is not None and found.high is not None
    ]
    line = in_short(document)
    return scores_summary(line, f"test {document.metric.replace('_', ' ')}", rows) if rows else Summary(line, {})


def _open(ctx: Context, name: str, spec: BudgetSpec) -> _Run:
    """Load encoder and samples, and draw a replicate of each sample, so that a fault is found before any fit.

    Raises DataError, naming the stage to run, for a sample that is not there or too small, and EncoderError.
    """
    bench = open_samples(ctx, spec.encoder, spec.samples)
    all_of_them = replicates(spec, bench.samples, bench.encoder_identity)
    for replicate in all_of_them[: len(spec.samples)]:
        drawn_sample(spec, replicate)
    return _Run(ctx, name, spec, bench, all_of_them)
