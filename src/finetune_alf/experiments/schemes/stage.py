"""Stage `schemes`: fine-tune under each scheme, adapter and curve, and compare them side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.compute.environment import shares
from finetune_alf.errors import InputError
from finetune_alf.experiments.schemes.cells import Cell, SchemesLine, cell_job, cell_line, cells
from finetune_alf.experiments.schemes.compare import Fits, compare
from finetune_alf.experiments.schemes.document import (
    CombinationResult,
    SampleTable,
    SchemesDocument,
    SchemesSample,
    SizedEncoder,
)
from finetune_alf.experiments.schemes.section import SECTION
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.jobs.job import FitJob
from finetune_alf.metric_names import PROBLEM_TYPES
from finetune_alf.metrics import Metric, majority_baseline, sample_metric
from finetune_alf.params.section import entry
from finetune_alf.report.numbers import score
from finetune_alf.running.bench import SamplesBench, open_samples
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, LoggedFields, fitting
from finetune_alf.running.summary import ScoreRow, scores_summary
from finetune_alf.schedules.pull import pull
from finetune_alf.schedules.reference import from_root, is_registered
from finetune_alf.train.result import RecordedFit


def schemes(ctx: Context, name: str) -> None:
    """Fit the cells of `schemes.<name>` that are not done yet; write all cells and the tables."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)
    with ctx.lock(f"schemes-{name}"):
        testbed = _Testbed(name, spec, _open(ctx, name, spec))
        encoder = testbed.bench.encoder
        with fitting(
            ctx,
            "schemes",
            name,
            fit_runner=testbed.bench.fit_runner,
            n_layers=encoder.n_layers,
            n_fits=len(spec.samples) * len(spec.combinations) * spec.n_seeds,
            tags={"alf.schemes": name, "alf.encoder": encoder.identity},
            needs_store=any(map(is_registered, spec.schedules)),
        ) as fitter:
            uri = fitter.runs.uri
            root, allowed = ctx.paths.root, spec.recipe.allow_forgetting
            schedules = {each: pull(from_root(root, each), uri, allow_forgetting=allowed) for each in spec.schedules}
            grid = cells(spec, spec.combinations, schedules, encoder.n_layers)
            fits = fitter.fit(grid, testbed.kind, ctx.paths.cells("schemes", name))
            document = testbed.document(fits, ctx.params.compute.n_at_once)
            document.write(ctx.paths.document("schemes", name))
            found = [f"{name}, {sample}: {_highest(table.combinations)}" for sample, table in document.samples.items()]
            fitter.runs.show(scores_summary("\n\n".join(found), spec.metric.replace("_", " "), _rows(document.samples)))
    for line in found:
        ctx.console.log(line)


def _open(ctx: Context, name: str, spec: SchemesSpec) -> SamplesBench:
    """Load encoder and samples, and insert each adapter once, so that a fault is found before any fit.

    Raises DataError, naming the stage to run, for a sample that is not there, EncoderError for encoder and adapters,
    and InputError for a metric that a sample's labels do not have.
    """
    bench, kinds = open_samples(ctx, spec.encoder, spec.samples), PROBLEM_TYPES[spec.metric]
    for sample in bench.samples.values():
        if sample.card.problem_type not in kinds:
            raise InputError(
                f"schemes.{name}.metric: must be one for the labels of {sample.name}, but got {spec.metric}, which is "
                f"for {kinds[0]}. Name another metric, or put {sample.name} into another testbed."
            )
    for combination in spec.combinations:
        bench.fit_runner.loader.encoder(bench.encoder_spec, bench.n_outputs, combination.adapter)
    return bench


@dataclass(frozen=True)
class _Testbed:
    """A testbed with its samples and its encoder, without an adapter, loaded."""

    name: str
    spec: SchemesSpec
    bench: SamplesBench

    @property
    def kind(self) -> CellKind[Cell]:
        """How a cell is fitted, written and logged."""
        bench = self.bench
        precision = bench.fit_runner.compute.precision

        def job(cell: Cell) -> FitJob:
            return cell_job(cell, self.spec, bench.encoder_spec, self._digest(cell), precision)

        def line(cell: Cell, result: RecordedFit) -> SchemesLine:
            return cell_line(cell, result, bench.encoder.n_layers)

        return CellKind(job, line, self._logged)

    def document(self, fits: Fits, n_at_once: int) -> SchemesDocument:
        """Return the tables."""
        spec, encoder = self.spec, self.bench.encoder
        return SchemesDocument(
            name=self.name,
            encoder=SizedEncoder(
                name=spec.encoder,
                identity=encoder.identity,
                n_layers=encoder.n_layers,
                n_parameters=sum(parameter.numel() for parameter in encoder.model.parameters()),
            ),
            metric=spec.metric,
            score_on=spec.score_on,
            stretch=spec.stretch,
            rescale=spec.rescale,
            recipe=spec.recipe,
            adapter_rate=spec.adapter_rate,
            adapters=tuple(dict.fromkeys(each.adapter for each in spec.combinations if each.adapter)),
            curves=tuple(dict.fromkeys(each.curve for each in spec.combinations)),
            n_seeds=spec.n_seeds,
            n_at_once=n_at_once,
            environments=shares(result.environment for _, result in fits),
            left_out=spec.left_out,
            samples=self._tables(fits),
        )

    def _tables(self, fits: Fits) -> dict[str, SampleTable]:
        truths = {name: self.bench.samples[name].splits[self.spec.score_on].labels for name in self.spec.samples}
        rows = compare(self.spec, truths, {name: self._metric(name) for name in truths}, fits)
        return {name: SampleTable(sample=self._described(name), combinations=rows[name]) for name in truths}

    def _metric(self, sample: str) -> Metric:
        return sample_metric(self.spec.metric, self.bench.samples[sample].card.n_classes)

    def _described(self, name: str) -> SchemesSample:
        sample, spec = self.bench.samples[name], self.spec
        truth = sample.splits[spec.score_on].labels
        return SchemesSample(
            name=name,
            digest=sample.card.digest,
            n_train=len(sample.splits["train"].labels),
            n_texts=len(truth),
            majority_baseline=majority_baseline(self._metric(name), truth),
            epochs=spec.epochs_of(name),
        )

    def _logged(self, cell: Cell, result: RecordedFit) -> LoggedFields:
        tags = {
            **self.bench.tags(cell.sample),
            "alf.scheme": cell.combination.scheme,
            "alf.adapter": cell.combination.adapter_name,
            "alf.curve": cell.combination.curve.kind,
            "alf.seed": str(cell.seed),
        }
        return LoggedFields({f"{self.spec.score_on}.{self.spec.metric}": result.score}, tags)

    def _digest(self, cell: Cell) -> str:
        return self.bench.samples[cell.sample].card.digest


def _rows(tables: Mapping[str, SampleTable]) -> list[ScoreRow]:
    """Return each combination's score for the parent run."""
    return [
        ScoreRow(f"{sample}/{row.scheme}/{row.adapter}/{row.curve}", row.score, row.difference)
        for sample, table in tables.items()
        for row in table.combinations
    ]


def _highest(rows: Sequence[CombinationResult]) -> str:
    scored = {row: row.score.mean for row in rows if row.score}
    if not scored:
        return "every fit diverged"
    best = max(scored, key=scored.__getitem__)
    return f"highest {best.scheme}, {best.adapter}, {best.curve}: {score(scored[best])}"
