"""Stage `freeze`: find each sample's rate on the full model, then freeze the encoder from the input up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.documents import EncoderIdentity
from finetune_alf.experiments.freeze.bench import SweepBench, open_sweep
from finetune_alf.experiments.freeze.cells import Cell, FreezeLine, SweptSample, cell_job, cell_line, cell_recipe, cells
from finetune_alf.experiments.freeze.cost import LevelCost, level_cost
from finetune_alf.experiments.freeze.document import FreezeDocument, OperatingPoint, SampleTable
from finetune_alf.experiments.freeze.search import LineSearch, line_search, validation_score
from finetune_alf.experiments.freeze.section import SECTION
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.experiments.freeze.table import Swept, sample_table
from finetune_alf.metrics import METRICS
from finetune_alf.params.section import entry
from finetune_alf.planning.lengths import fit_lengths
from finetune_alf.planning.probe import engine_of, shape_of
from finetune_alf.running.bench import n_outputs
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, Fitter, LoggedFields, fitting, score_note
from finetune_alf.running.mirrored import machine_of
from finetune_alf.train.result import FitResult

Fits = Sequence[tuple[Cell, FitResult]]


def freeze(ctx: Context, name: str) -> None:
    """Do the fits of `freeze.<name>` that are not done yet, and write its cells and tables."""
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
            grid = sweep.grid({sample: search.rate for sample, search in searches.items()})
            fits = fitter.fit(grid, sweep.kind, ctx.paths.cells("freeze", name))
            tables = {sample.name: sweep.table(sample, searches[sample], fits) for sample in bench.samples}
            sweep.document(tables, fits, ctx.params.compute.n_at_once).write(ctx.paths.document("freeze", name))
            fitter.runs.metrics.update(_summary(tables))
    for sample, table in tables.items():
        ctx.console.log(f"{name}, {sample}: {_in_short(spec, table, bench.encoder.n_layers)}")


@dataclass(frozen=True)
class _Sweep:
    """A sweep with its encoder and samples loaded."""

    name: str
    spec: FreezeSpec
    bench: SweepBench

    @property
    def kind(self) -> CellKind[Cell]:
        """How a cell is fitted, written and logged."""
        return CellKind(lambda cell: cell_job(self.spec, cell, self.bench.encoder_spec), self._line, self._logged)

    def search(self, fitter: Fitter) -> dict[SweptSample, LineSearch]:
        """Fit the full model at every rate."""
        full, spec = self.bench.levels[:1], self.spec
        grid = [
            cell for sample in self.bench.samples for cell in cells(spec, sample, full, spec.rates, spec.n_search_seeds)
        ]
        fits = fitter.fit(grid, self.kind)
        return {
            sample: line_search(
                f"freeze.{self.name}.rates, {sample.name}",
                [(cell.rate, result) for cell, result in fits if cell.sample == sample],
            )
            for sample in self.bench.samples
        }

    def grid(self, rates: Mapping[SweptSample, float]) -> list[Cell]:
        """Return the cells of every sample at every level, at the sample's own rate."""
        return [
            cell
            for sample, rate in rates.items()
            for cell in cells(self.spec, sample, self.bench.levels, [rate], self.spec.n_seeds)
        ]

    def table(self, sample: SweptSample, search: LineSearch, fits: Fits) -> SampleTable:
        """Return a sample's numbers."""
        own = [(cell, fit) for cell, fit in fits if cell.sample == sample]
        return sample_table(self.spec, Swept(sample, self._truth(sample), search, own, self._costs(own)))

    def document(self, tables: Mapping[str, SampleTable], fits: Fits, n_at_once: int) -> FreezeDocument:
        """Return what the sweep found."""
        encoder = self.bench.encoder
        return FreezeDocument(
            name=self.name,
            encoder=EncoderIdentity(name=self.spec.encoder, identity=encoder.identity, n_layers=encoder.n_layers),
            recipe=self.spec.recipe,
            keep=self.spec.keep,
            n_seeds=self.spec.n_seeds,
            n_search_seeds=self.spec.n_search_seeds,
            n_at_once=n_at_once,
            machine=machine_of(fits[0][1]),
            samples=dict(tables),
        )

    def _logged(self, cell: Cell, result: FitResult) -> LoggedFields:
        """Return a cell's fields; the bar shows validation scores, since the line search goes by them."""
        tags = {
            "alf.encoder": self.bench.encoder.identity,
            "alf.sample": cell.sample.name,
            "alf.sample.digest": cell.sample.digest,
            "alf.frozen": cell.level.name,
            "alf.seed": str(cell.seed),
        }
        scores = {f"{cell.sample.scored_on}.{cell.sample.metrics[0]}": result.score}
        return LoggedFields(scores, tags, f"{score_note(validation_score(result))} on validation")

    def _line(self, cell: Cell, result: FitResult) -> FreezeLine:
        truth, predicted = self._truth(cell.sample), result.predictions
        return cell_line(cell, result, {m: METRICS[m](truth, predicted) for m in cell.sample.metrics if predicted})

    def _truth(self, sample: SweptSample) -> Sequence[float]:
        return self.bench.samples[sample].splits[sample.scored_on].labels

    def _costs(self, fits: Fits) -> dict[str, LevelCost]:
        """Return what each level of one sample costs by formula."""
        cell = fits[0][0]
        sample, recipe = self.bench.samples[cell.sample], self.spec.recipe
        encoder = self.bench.fit_runner.encoder(self.bench.encoder_spec, n_outputs(sample.card))
        scored = None if cell.sample.scored_on == "validation" else cell.sample.scored_on
        lengths = fit_lengths(encoder, sample, recipe.max_tokens, scored)
        shape, engine = shape_of(encoder), engine_of(encoder, recipe)
        recipes = {cell.level.name: cell_recipe(self.spec, cell) for cell, _ in fits}
        return {name: level_cost(shape, lengths, own, engine) for name, own in recipes.items()}


def _summary(tables: Mapping[str, SampleTable]) -> dict[str, float]:
    """Return each sample's scores by level, for the parent run."""
    return {
        f"{sample}.{metric}.frozen-{level}": score.mean
        for sample, table in tables.items()
        for level, own in table.levels.items()
        for metric, score in own.scores.items()
        if score
    }


def _in_short(spec: FreezeSpec, table: SampleTable, n_layers: int) -> str:
    """Return what keeps most of the full model's score, by the metric that was searched by."""
    own = table.operating[table.metric]
    if own.full is None:
        return "every fit of the full model diverged"
    kept = f"{spec.keep:.0%} of it with {_layers(own.raw)} of {n_layers} trained" if own.raw else "nothing to keep"
    gained = f"of the gain with {_layers(own.gain)}" if own.gain else "no gain over the majority baseline"
    return f"{table.metric} {own.full.mean:.3f} with all layers; {kept}, {gained}"


def _layers(point: OperatingPoint) -> str:
    return "all" if point.n_trained is None else str(point.n_trained)
