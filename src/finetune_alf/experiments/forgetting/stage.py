"""Stage `forgetting`: fit at every rate, and score the validation split every so many steps."""

from dataclasses import dataclass

from finetune_alf.compute.environment import shares
from finetune_alf.data.sample import Sample
from finetune_alf.experiments.forgetting.cells import SCORED_ON, Cell, ForgettingLine, cell_job, cell_line, cells
from finetune_alf.experiments.forgetting.compare import Fits, compare
from finetune_alf.experiments.forgetting.document import ForgettingDocument, ForgettingSample
from finetune_alf.experiments.forgetting.section import SECTION
from finetune_alf.experiments.forgetting.spec import ForgettingSpec
from finetune_alf.jobs.job import FitJob
from finetune_alf.metrics import ACCURACY, majority_baseline
from finetune_alf.params.section import entry
from finetune_alf.report.numbers import rate, score
from finetune_alf.running.bench import SamplesBench, open_samples
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, LoggedFields, fitting
from finetune_alf.running.summary import ScoreRow, scores_summary
from finetune_alf.train.result import RecordedFit


def forgetting(ctx: Context, name: str) -> None:
    """Fit the cells of `forgetting.<name>` that are not done yet; write all cells and the document."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)
    with ctx.lock(f"forgetting-{name}"):
        run = _Run(name, spec, open_samples(ctx, spec.encoder, (spec.sample,)))
        with fitting(
            ctx,
            "forgetting",
            name,
            fit_runner=run.bench.fit_runner,
            n_layers=run.bench.encoder.n_layers,
            n_fits=len(spec.rates) * spec.n_seeds,
            tags=run.bench.tags(spec.sample),
        ) as fitter:
            fits = fitter.fit(cells(spec), run.kind, ctx.paths.cells("forgetting", name))
            document = run.document(fits)
            document.write(ctx.paths.document("forgetting", name))
            rows = [ScoreRow(f"{each.rate:g}", each.accuracy, each.difference) for each in document.rates]
            at_end = ", ".join(
                f"{rate(each.rate)} {score(1 - each.accuracy.mean)}" for each in document.rates if each.accuracy
            )
            found = f"{name}, error after {document.n_steps} steps: {at_end or 'every fit diverged'}"
            fitter.runs.show(scores_summary(found, "accuracy by rate", rows))
    ctx.console.log(found)


@dataclass(frozen=True)
class _Run:
    """An entry with its sample and its encoder loaded."""

    name: str
    spec: ForgettingSpec
    bench: SamplesBench

    @property
    def sample(self) -> Sample:
        """The sample."""
        return self.bench.samples[self.spec.sample]

    @property
    def kind(self) -> CellKind[Cell]:
        """How a cell is fitted, written and logged."""
        bench, precision = self.bench, self.bench.fit_runner.compute.precision

        def job(cell: Cell) -> FitJob:
            return cell_job(cell, bench.encoder_spec, self.sample.card.digest, precision)

        def line(cell: Cell, result: RecordedFit) -> ForgettingLine:
            return cell_line(cell, result)

        def logged(cell: Cell, result: RecordedFit) -> LoggedFields:
            tags = {**bench.tags(self.spec.sample), "alf.rate": f"{cell.rate:g}", "alf.seed": str(cell.seed)}
            return LoggedFields({f"{SCORED_ON}.accuracy": result.score}, tags)

        return CellKind(job, line, logged)

    def document(self, fits: Fits) -> ForgettingDocument:
        """Return the document."""
        spec, sample = self.spec, self.sample
        truth = sample.splits[SCORED_ON].labels
        return ForgettingDocument(
            name=self.name,
            encoder=self.bench.encoder_identity,
            sample=ForgettingSample(
                name=sample.name,
                digest=sample.card.digest,
                n_train=len(sample.splits["train"].labels),
                n_validation=len(truth),
                majority_error=1 - majority_baseline(ACCURACY, truth),
            ),
            recipe=spec.recipe,
            every_steps=spec.every_steps,
            n_steps=spec.every_steps * spec.recipe.epochs,
            n_seeds=spec.n_seeds,
            environments=shares(result.environment for _, result in fits),
            rates=compare(truth, fits, spec.every_steps),
        )
