"""Stage `freeze`: find each sample's rate on the full model, then freeze the encoder from the input up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.experiments.freeze.bench import SweepBench, n_outputs, open_sweep
from finetune_alf.experiments.freeze.cells import Cell, SweptSample, cell_job, cell_recipe, cell_record, cells
from finetune_alf.experiments.freeze.cost import LevelCost, level_cost
from finetune_alf.experiments.freeze.search import LineSearch, line_search, validation_score
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.experiments.freeze.table import Swept, sample_table
from finetune_alf.files import write_json, write_jsonl
from finetune_alf.metrics import METRICS
from finetune_alf.planning.lengths import fit_lengths
from finetune_alf.planning.probe import engine_of, shape_of
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import Fitter, Show, Shown, score_note
from finetune_alf.running.mirrored import parent_run
from finetune_alf.train.job import FitJob
from finetune_alf.train.ledger import Ledger
from finetune_alf.train.result import FitResult

Fits = Sequence[tuple[Cell, FitResult]]
Tables = Mapping[str, Mapping[str, Any]]


def freeze(ctx: Context, name: str) -> None:
    """Do the fits of `freeze.<name>` that are not done yet, and write its cells and tables."""
    spec = ctx.sweep(name)
    with ctx.lock(f"freeze-{name}"):
        bench = open_sweep(ctx, name, spec)
        tags = {"alf.freeze": name, "alf.encoder": bench.encoder.identity}
        n_fits = len(spec.samples) * (len(spec.rates) * spec.n_search_seeds + len(bench.levels) * spec.n_seeds)
        with (
            parent_run(ctx, f"freeze/{name}", f"freeze {name}", tags) as runs,
            ctx.teller.bar(f"freeze {name}", n_fits) as bar,
        ):
            ledger, n_layers = Ledger(ctx.paths.ledger(f"freeze-{name}")), bench.encoder.n_layers
            fitter = Fitter(ctx, f"freeze-{name}", ledger, bench.workbench, n_layers, runs, bar)
            sweep = _Sweep(ctx, name, spec, bench, fitter)
            searches = sweep.search()
            fits = sweep.fit({sample: search.rate for sample, search in searches.items()})
            tables = {sample.name: sweep.table(sample, searches[sample], fits) for sample in bench.samples}
            sweep.write(fits, tables)
            runs.metrics.update(_summary(tables))
    for sample, told in tables.items():
        ctx.teller.say(f"{name}, {sample}: {_in_short(spec, told, bench.encoder.n_layers)}")


@dataclass(frozen=True)
class _Sweep:
    """A sweep at work."""

    ctx: Context
    name: str
    spec: FreezeSpec
    bench: SweepBench
    fitter: Fitter

    def search(self) -> dict[SweptSample, LineSearch]:
        """Fit the full model at every rate."""
        full, spec = self.bench.levels[:1], self.spec
        grid = [
            cell for sample in self.bench.samples for cell in cells(spec, sample, full, spec.rates, spec.n_search_seeds)
        ]
        results = self.fitter.do(self._jobs(grid), self._shown(grid))
        return {
            sample: line_search(
                f"freeze.{self.name}.rates, {sample.name}",
                [(cell.rate, results[cell.key]) for cell in grid if cell.sample == sample],
            )
            for sample in self.bench.samples
        }

    def fit(self, rates: Mapping[SweptSample, float]) -> Fits:
        """Fit every sample at every level at its own rate; each cell is a line of the results as soon as it is done."""
        spec, path = self.spec, self.ctx.paths.freeze(self.name).with_suffix(".jsonl")
        grid = [
            cell
            for sample, rate in rates.items()
            for cell in cells(spec, sample, self.bench.levels, [rate], spec.n_seeds)
        ]
        by_key = {cell.key: cell for cell in grid}

        def line(job: FitJob, result: FitResult) -> dict[str, Any]:
            return self._record(by_key[job.key], result)

        results = self.fitter.fill(path, self._jobs(grid), self._shown(grid), line)
        return [(cell, results[cell.key]) for cell in grid]

    def table(self, sample: SweptSample, search: LineSearch, fits: Fits) -> dict[str, Any]:
        """Return a sample's numbers."""
        own = [(cell, fit) for cell, fit in fits if cell.sample == sample]
        return sample_table(self.spec, Swept(sample, self._truth(sample), search, own, self._costs(own)))

    def write(self, fits: Fits, tables: Tables) -> None:
        """Write the cells, in the order of the grid, and the tables."""
        path, encoder, (_, first) = self.ctx.paths.freeze(self.name), self.bench.encoder, fits[0]
        compute = self.ctx.params.compute
        write_jsonl(path.with_suffix(".jsonl"), [self._record(cell, fit) for cell, fit in fits])
        document = {
            "name": self.name,
            "encoder": {"name": self.spec.encoder, "identity": encoder.identity, "n_layers": encoder.n_layers},
            "recipe": self.spec.recipe.model_dump(mode="json"),
            "keep": self.spec.keep,
            "n_seeds": self.spec.n_seeds,
            "n_search_seeds": self.spec.n_search_seeds,
            "n_at_once": max(compute.n_workers, compute.n_fused),
            "machine": first.model_dump(mode="json", include={"device", "precision", "n_threads"}),
            "samples": tables,
        }
        write_json(path, document)

    def _jobs(self, grid: Sequence[Cell]) -> list[FitJob]:
        return [cell_job(self.spec, cell, self.bench.encoder_spec) for cell in grid]

    def _shown(self, grid: Sequence[Cell]) -> Show:
        """Return how these cells are shown; the bar tells validation scores, since the line search goes by them."""
        by_key, identity = {cell.key: cell for cell in grid}, self.bench.encoder.identity

        def show(job: FitJob, result: FitResult) -> Shown:
            cell = by_key[job.key]
            tags = {
                "alf.encoder": identity,
                "alf.sample": cell.sample.name,
                "alf.sample.digest": cell.sample.digest,
                "alf.frozen": cell.level.name,
                "alf.seed": str(cell.seed),
            }
            note = f"{score_note(validation_score(result))} on validation"
            return Shown({f"{cell.sample.scored_on}.{job.metric}": result.score}, tags, note)

        return show

    def _record(self, cell: Cell, result: FitResult) -> dict[str, Any]:
        truth, said = self._truth(cell.sample), result.predictions
        return cell_record(cell, result, {m: METRICS[m](truth, said) for m in cell.sample.metrics if said})

    def _truth(self, sample: SweptSample) -> Sequence[float]:
        return self.bench.samples[sample].splits[sample.scored_on].labels

    def _costs(self, fits: Fits) -> dict[str, LevelCost]:
        """Return what each level of one sample costs by formula."""
        cell = fits[0][0]
        sample, recipe = self.bench.samples[cell.sample], self.spec.recipe
        encoder = self.bench.workbench.encoder(self.bench.encoder_spec, n_outputs(sample.card))
        scored = None if cell.sample.scored_on == "validation" else cell.sample.scored_on
        lengths = fit_lengths(encoder, sample, recipe.max_tokens, scored)
        shape, engine = shape_of(encoder), engine_of(encoder, recipe)
        recipes = {cell.level.name: cell_recipe(self.spec, cell) for cell, _ in fits}
        return {name: level_cost(shape, lengths, own, engine) for name, own in recipes.items()}


def _summary(tables: Tables) -> dict[str, float]:
    """Return each sample's scores by level, for the parent run."""
    return {
        f"{sample}.{metric}.frozen-{level}": own["scores"][metric]["mean"]
        for sample, told in tables.items()
        for metric in told["sample"]["metrics"]
        for level, own in told["levels"].items()
        if own["scores"][metric]
    }


def _in_short(spec: FreezeSpec, told: Mapping[str, Any], n_layers: int) -> str:
    """Say what keeps most of the full model's score, by the metric that was searched by."""
    metric = told["sample"]["metrics"][0]
    own = told["operating"][metric]
    if own["full"] is None:
        return "every fit of the full model diverged"
    raw, gain = (own[floor] and _layers(own[floor]) for floor in ("raw", "gain"))
    kept = f"{spec.keep:.0%} of it with {raw} of {n_layers} trained" if raw else "nothing to keep"
    gained = f"of the gain with {gain}" if gain else "no gain over one answer for all"
    return f"{metric} {own['full']['mean']:.3f} with all layers; {kept}, {gained}"


def _layers(point: Mapping[str, Any]) -> str:
    return "all" if point["n_trained"] is None else str(point["n_trained"])
