"""Stage `freeze`: select each sample's rate with the full model, then freeze the encoder level by level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.compute.environment import shares
from finetune_alf.experiments.freeze.bench import SweepBench, open_sweep
from finetune_alf.experiments.freeze.cells import Cell, FreezeLine, cell_job, cell_line, cells, level_recipe
from finetune_alf.experiments.freeze.cost import LevelCost, level_cost
from finetune_alf.experiments.freeze.document import FreezeDocument, OperatingPoint, SampleTable, SweepSample
from finetune_alf.experiments.freeze.family import judged_tables
from finetune_alf.experiments.freeze.line_search import LineSearch, line_search, validation_score
from finetune_alf.experiments.freeze.section import SECTION
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.experiments.freeze.table import SampleFits, sample_table
from finetune_alf.jobs.job import FitJob
from finetune_alf.metric_names import Label
from finetune_alf.metrics import sample_metric
from finetune_alf.params.section import entry
from finetune_alf.planning.lengths import fit_lengths
from finetune_alf.planning.probe import engine_of, shape_of
from finetune_alf.report.numbers import percent, score
from finetune_alf.running.bench import encoder_identity_of, fit_tags, n_outputs
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, Fitter, LoggedFields, fitting, score_note
from finetune_alf.running.summary import ScoreRow, scores_summary
from finetune_alf.train.result import RecordedFit

Fits = Sequence[tuple[Cell, RecordedFit]]


def freeze(ctx: Context, name: str) -> None:
    """Do the fits of `freeze.<name>` that are not done yet, and write its cells and document."""
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)
    with ctx.lock(f"freeze-{name}"):
        bench = open_sweep(ctx, name, spec)
        sweep = _Sweep(name, spec, bench)
        with fitting(
            ctx,
            "freeze",
            name,
            fit_runner=bench.fit_runner,
            n_layers=bench.encoder.n_layers,
            n_fits=len(spec.samples) * (len(spec.rates) * spec.n_search_seeds + len(bench.levels) * spec.n_seeds),
            tags={"alf.freeze": name, "alf.encoder": bench.encoder.identity},
        ) as fitter:
            searches = sweep.search(fitter)
            grid = sweep.cells({sample: search.rate for sample, search in searches.items()})
            fits = fitter.fit(grid, sweep.cell_kind, ctx.paths.cells("freeze", name))
            tables = judged_tables(
                {sample.name: sweep.table(sample, searches[sample], fits) for sample in bench.samples}
            )
            sweep.document(tables, fits, ctx.params.compute.n_at_once).write(ctx.paths.document("freeze", name))
            found = [
                f"{name}, {sample}: {in_short(spec, table, bench.encoder.n_layers)}" for sample, table in tables.items()
            ]
            fitter.runs.show(scores_summary("\n\n".join(found), "score", _rows(tables)))
    for line in found:
        ctx.console.log(line)


@dataclass(frozen=True)
class _Sweep:
    """A sweep with its encoder and samples loaded."""

    name: str
    spec: FreezeSpec
    bench: SweepBench

    @property
    def cell_kind(self) -> CellKind[Cell]:
        """How a cell is fitted, written and logged."""
        bench = self.bench
        precision = bench.fit_runner.compute.precision

        def job(cell: Cell) -> FitJob:
            return cell_job(self.spec, cell, bench.encoder_spec, precision)

        return CellKind(job, self._line, self._logged)

    def search(self, fitter: Fitter) -> dict[SweepSample, LineSearch]:
        """Fit the full model at every rate."""
        spec, full = self.spec, self.bench.levels[:1]
        grid = [
            cell for sample in self.bench.samples for cell in cells(spec, sample, full, spec.rates, spec.n_search_seeds)
        ]
        fits = fitter.fit(grid, self.cell_kind)
        return {
            sample: line_search(
                f"freeze.{self.name}.rates, {sample.name}",
                [(cell.rate, result) for cell, result in fits if cell.sample == sample],
            )
            for sample in self.bench.samples
        }

    def cells(self, rates: Mapping[SweepSample, float]) -> list[Cell]:
        """Return the cells of every sample at every level, at the sample's selected rate."""
        return [
            cell
            for sample, rate in rates.items()
            for cell in cells(self.spec, sample, self.bench.levels, [rate], self.spec.n_seeds)
        ]

    def table(self, sample: SweepSample, search: LineSearch, fits: Fits) -> SampleTable:
        """Return a sample's numbers."""
        of_sample = [(cell, fit) for cell, fit in fits if cell.sample == sample]
        costs = self._costs(sample, search.rate)
        return sample_table(
            SampleFits(sample, self._labels(sample), self._n_classes(sample), search, of_sample, costs),
            self.spec.keep_frac,
        )

    def document(self, tables: Mapping[str, SampleTable], fits: Fits, n_at_once: int) -> FreezeDocument:
        """Return the results of the sweep."""
        return FreezeDocument(
            name=self.name,
            encoder=encoder_identity_of(self.spec.encoder, self.bench.encoder),
            recipe=self.spec.recipe,
            keep_frac=self.spec.keep_frac,
            n_seeds=self.spec.n_seeds,
            n_search_seeds=self.spec.n_search_seeds,
            n_at_once=n_at_once,
            environments=shares(result.environment for _, result in fits),
            samples=dict(tables),
        )

    def _logged(self, cell: Cell, result: RecordedFit) -> LoggedFields:
        """Return a cell's fields; the bar shows validation scores, as these select the rate."""
        tags = {
            **fit_tags(self.bench.encoder.identity, self.bench.samples[cell.sample]),
            "alf.frozen": cell.level.name,
            "alf.seed": str(cell.seed),
        }
        scores = {f"{cell.sample.score_on}.{cell.sample.metrics[0]}": result.score}
        return LoggedFields(scores, tags, f"{score_note(validation_score(result))} on validation")

    def _line(self, cell: Cell, result: RecordedFit) -> FreezeLine:
        labels, predicted = self._labels(cell.sample), result.predictions
        metrics = [sample_metric(metric, self._n_classes(cell.sample)) for metric in cell.sample.metrics]
        return cell_line(cell, result, {m.name: m(labels, predicted) for m in metrics if predicted})

    def _labels(self, sample: SweepSample) -> Sequence[Label]:
        return self.bench.samples[sample].splits[sample.score_on].labels

    def _n_classes(self, sample: SweepSample) -> int:
        return self.bench.samples[sample].card.n_classes

    def _costs(self, sample: SweepSample, rate: float) -> dict[str, LevelCost]:
        """Return the cost of each level of one sample, by formula."""
        loaded, recipe = self.bench.samples[sample], self.spec.recipe
        encoder = self.bench.fit_runner.loader.encoder(self.bench.encoder_spec, n_outputs(loaded.card))
        scored = None if sample.score_on == "validation" else sample.score_on
        lengths = fit_lengths(encoder, loaded, recipe.max_tokens, scored)
        shape, engine = shape_of(encoder), engine_of(encoder, self.bench.fit_runner.compute)
        return {
            level.name: level_cost(shape, lengths, level_recipe(self.spec, level, rate), engine)
            for level in self.bench.levels
        }


def _rows(tables: Mapping[str, SampleTable]) -> list[ScoreRow]:
    """Return each sample's scores by level, for the parent run."""
    return [
        ScoreRow(f"{sample}/{metric}/frozen-{name}", score, level.differences.get(metric))
        for sample, table in tables.items()
        for name, level in table.levels.items()
        for metric, score in level.scores.items()
    ]


def in_short(spec: FreezeSpec, table: SampleTable, n_layers: int) -> str:
    """Return the operating points by the metric that selected the rate, in one line."""
    points, keep = table.operating_points[table.metric], percent(spec.keep_frac)
    if points.full_model is None:
        return "all fits of the full model diverged"
    of_score, of_gain = "no score above 0", "no gain over the majority baseline"
    if points.of_score:
        of_score = f"{keep} of the score with {_n_trained(points.of_score)} of {n_layers} layers trained"
    if points.of_gain:
        of_gain = f"{keep} of the gain with {_n_trained(points.of_gain)}"
    return f"{table.metric} {score(points.full_model.mean)} with all layers trained; {of_score}, {of_gain}"


def _n_trained(point: OperatingPoint) -> str:
    return "all" if point.n_trained is None else str(point.n_trained)
