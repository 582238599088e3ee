"""Stage `labels`: fit every scheme on every number of training texts of every draw, and compare on the test split."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.compute.environment import shares
from finetune_alf.data.redraw import POOL
from finetune_alf.data.sample import load_sample
from finetune_alf.experiments.labels.cells import Cell, LabelsLine, cell_job, cell_line, cells
from finetune_alf.experiments.labels.compare import Fits, compare
from finetune_alf.experiments.labels.document import LabelsDocument, LabelsSample, SampleTable
from finetune_alf.experiments.labels.draws import draws, folders_of
from finetune_alf.experiments.labels.section import SECTION
from finetune_alf.experiments.labels.spec import LabelsSpec
from finetune_alf.experiments.scheme_inputs import needs_registry, scheme_inputs
from finetune_alf.experiments.scheme_table import scheme_recipes
from finetune_alf.jobs.job import FitJob
from finetune_alf.metrics import Metric, majority_baseline, sample_metric
from finetune_alf.params.section import entry
from finetune_alf.recipe import AnyRecipe
from finetune_alf.report.numbers import score
from finetune_alf.running.bench import SamplesBench, fit_tags, samples_bench
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, LoggedFields, fitting
from finetune_alf.running.summary import ScoreRow, scores_summary
from finetune_alf.train.result import RecordedFit

NO_STUDY = ""
"""No scheme here needs a study's lock file."""


def labels(ctx: Context, name: str) -> None:
    """Fit the cells of `labels.<name>` that are not done yet; write all cells and the document.

    Raises DataError, naming the stage to run, where a sample is not there or has too few rows.
    """
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)
    with ctx.lock(f"labels-{name}"):
        samples = {each: load_sample(ctx.paths.sample(each)) for each in spec.samples}
        drawn = draws(spec, samples)
        with folders_of(drawn, ctx.paths.studies / f"labels-{name}") as folders:
            run = _Run(name, spec, samples_bench(ctx, spec.encoder, samples, folders))
            n_layers = run.bench.encoder.n_layers
            with fitting(
                ctx,
                "labels",
                name,
                fit_runner=run.bench.fit_runner,
                n_layers=n_layers,
                n_fits=len(drawn) * len(spec.schemes),
                tags={"alf.encoder": run.bench.encoder.identity},
                needs_store=needs_registry(spec.schemes),
            ) as fitter:
                uri = fitter.runs.uri
                recipes = scheme_recipes(
                    spec.schemes, scheme_inputs(ctx, NO_STUDY, spec.schemes, spec.recipe, n_layers, uri)
                )
                fits = fitter.fit(cells(drawn, recipes), run.kind, ctx.paths.cells("labels", name))
                document = run.document(recipes, fits)
                document.write(ctx.paths.document("labels", name))
                found = [f"{name}, {sample}: {_ends(document, table)}" for sample, table in document.samples.items()]
                fitter.runs.show(scores_summary("\n\n".join(found), f"test {document.metric}", _rows(document)))
    for line in found:
        ctx.console.log(line)


@dataclass(frozen=True)
class _Run:
    """An entry with its samples and its encoder loaded."""

    name: str
    spec: LabelsSpec
    bench: SamplesBench

    @property
    def kind(self) -> CellKind[Cell]:
        """How a cell is fitted, written and logged."""
        bench, metric = self.bench, self.spec.metric
        precision = bench.fit_runner.compute.precision

        def job(cell: Cell) -> FitJob:
            return cell_job(cell, bench.encoder_spec, precision, metric)

        def line(cell: Cell, result: RecordedFit) -> LabelsLine:
            return cell_line(cell, result)

        def logged(cell: Cell, result: RecordedFit) -> LoggedFields:
            tags = {
                **fit_tags(bench.encoder.identity, cell.draw.drawn),
                "alf.n_train": str(cell.draw.n_train),
                "alf.scheme": cell.scheme,
                "alf.seed": str(cell.draw.seed),
            }
            return LoggedFields({f"test.{metric}": result.score}, tags)

        return CellKind(job, line, logged)

    def document(self, recipes: Mapping[str, AnyRecipe], fits: Fits) -> LabelsDocument:
        """Return the document."""
        spec, samples = self.spec, self.bench.samples
        truths = {name: sample.splits["test"].labels for name, sample in samples.items()}
        results = compare(spec, truths, {name: self._metric(name) for name in truths}, fits)
        return LabelsDocument(
            name=self.name,
            encoder=self.bench.encoder_identity,
            metric=spec.metric,
            recipe=spec.recipe,
            recipes=dict(recipes),
            baseline=spec.baseline,
            n_train=spec.n_train,
            n_validation=spec.n_validation,
            n_seeds=spec.n_seeds,
            environments=shares(result.environment for _, result in fits),
            samples={name: SampleTable(sample=self._described(name), schemes=results[name]) for name in truths},
        )

    def _metric(self, sample: str) -> Metric:
        return sample_metric(self.spec.metric, self.bench.samples[sample].card.n_classes)

    def _described(self, name: str) -> LabelsSample:
        sample = self.bench.samples[name]
        truth = sample.splits["test"].labels
        return LabelsSample(
            name=name,
            digest=sample.card.digest,
            n_pool=sum(len(sample.splits[split].labels) for split in POOL),
            n_test=len(truth),
            majority_baseline=majority_baseline(self._metric(name), truth),
        )


def _rows(document: LabelsDocument) -> list[ScoreRow]:
    """Return each score for the parent run."""
    return [
        ScoreRow(f"{sample}/{size.n_train}/{scheme}", size.score, size.difference)
        for sample, table in document.samples.items()
        for scheme, sizes in table.schemes.items()
        for size in sizes
    ]


def _ends(document: LabelsDocument, table: SampleTable) -> str:
    """Return the highest score with the fewest and with the most texts."""
    found = []
    for end in dict.fromkeys((0, len(document.n_train) - 1)):
        scored = {scheme: sizes[end].score for scheme, sizes in table.schemes.items()}
        means = {scheme: score.mean for scheme, score in scored.items() if score}
        best = max(means, key=means.__getitem__, default=None)
        highest = "every fit diverged" if best is None else f"highest {best} {score(means[best])}"
        found.append(f"with {document.n_train[end]} texts {highest}")
    return ", ".join(found)
