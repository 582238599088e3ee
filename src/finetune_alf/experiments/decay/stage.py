"""Stage `decay`: fit with every rate and every factor of the grid, and score the test split."""

from dataclasses import dataclass

from finetune_alf.compute.environment import shares
from finetune_alf.data.sample import Sample
from finetune_alf.experiments.decay.cells import Cell, DecayLine, cell_job, cell_line, cells
from finetune_alf.experiments.decay.compare import Fits, compare
from finetune_alf.experiments.decay.document import DecayDocument, DecaySample
from finetune_alf.experiments.decay.section import SECTION
from finetune_alf.experiments.decay.spec import DecaySpec
from finetune_alf.jobs.job import FitJob
from finetune_alf.metrics import ACCURACY, majority_baseline
from finetune_alf.params.section import entry
from finetune_alf.report.numbers import rate, score
from finetune_alf.running.bench import SamplesBench, open_samples
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, LoggedFields, fitting
from finetune_alf.running.summary import ScoreRow, scores_summary
from finetune_alf.train.result import RecordedFit


def decay(ctx: Context, name: str) -> None:
    """Fit the cells of `decay.<name>` that are not done yet; write all cells and the document."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)
    with ctx.lock(f"decay-{name}"):
        run = _Run(name, spec, open_samples(ctx, spec.encoder, (spec.sample,)))
        with fitting(
            ctx,
            "decay",
            name,
            fit_runner=run.bench.fit_runner,
            n_layers=run.bench.encoder.n_layers,
            n_fits=len(spec.grid) * spec.n_seeds,
            tags=run.bench.tags(spec.sample),
        ) as fitter:
            fits = fitter.fit(cells(spec), run.kind, ctx.paths.cells("decay", name))
            document = run.document(fits)
            document.write(ctx.paths.document("decay", name))
            rows = [
                ScoreRow(f"{each.rate:g}/{each.factor:g}", each.accuracy, each.difference) for each in document.pairs
            ]
            errors = ", ".join(
                f"{rate(each.rate)}/{each.factor:g} {score(1 - each.accuracy.mean)}"
                for each in document.pairs
                if each.accuracy
            )
            found = f"{name}, test error by rate and factor: {errors or 'every fit diverged'}"
            fitter.runs.show(scores_summary(found, "test accuracy", rows))
    ctx.console.log(found)


@dataclass(frozen=True)
class _Run:
    """An entry with its sample and its encoder loaded."""

    name: str
    spec: DecaySpec
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

        def line(cell: Cell, result: RecordedFit) -> DecayLine:
            return cell_line(cell, result, bench.encoder.n_layers)

        def logged(cell: Cell, result: RecordedFit) -> LoggedFields:
            rates = {"alf.rate": f"{cell.rate:g}", "alf.decay": f"{cell.factor:g}"}
            tags = {**bench.tags(self.spec.sample), **rates, "alf.seed": str(cell.seed)}
            return LoggedFields({"test.accuracy": result.score}, tags)

        return CellKind(job, line, logged)

    def document(self, fits: Fits) -> DecayDocument:
        """Return the document."""
        spec, sample = self.spec, self.sample
        truth = sample.splits["test"].labels
        return DecayDocument(
            name=self.name,
            encoder=self.bench.encoder_identity,
            sample=DecaySample(
                name=sample.name,
                digest=sample.card.digest,
                n_train=len(sample.splits["train"].labels),
                n_test=len(truth),
                majority_error=1 - majority_baseline(ACCURACY, truth),
            ),
            recipe=spec.recipe,
            n_seeds=spec.n_seeds,
            environments=shares(result.environment for _, result in fits),
            pairs=compare(sample.name, truth, fits),
        )
