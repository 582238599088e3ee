"""Stage `transfer`: fine-tune the pre-trained encoder on a sample under each scheme, and compare on its test split."""

from collections.abc import Iterable, Sequence

from finetune_alf.compute.environment import shares
from finetune_alf.experiments.scheme_inputs import n_fitted, needs_registry, scheme_inputs
from finetune_alf.experiments.scheme_table import scheme_recipes
from finetune_alf.experiments.transfer.cells import (
    Cell,
    TransferLine,
    cell_job,
    cell_line,
    cells,
    predictions_by_scheme,
)
from finetune_alf.experiments.transfer.compare import compare
from finetune_alf.experiments.transfer.document import TransferDocument, TransferSample
from finetune_alf.experiments.transfer.dvc_files import write_transfer_files
from finetune_alf.experiments.transfer.section import SECTION
from finetune_alf.jobs.job import FitJob
from finetune_alf.json_files import write_json
from finetune_alf.metrics import majority_baseline, sample_metric
from finetune_alf.rates import LayerRates
from finetune_alf.recipe import AnyRecipe, Recipe
from finetune_alf.report.numbers import score
from finetune_alf.running.bench import Bench, open_bench
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, LoggedFields, fitting
from finetune_alf.running.summary import ScoreRow, scores_summary
from finetune_alf.tracking.views import Columns
from finetune_alf.train.result import RecordedFit

Fits = Sequence[tuple[Cell, RecordedFit]]


def transfer(ctx: Context, study: str, sample: str) -> None:
    """Fit the missing cells of one study on one sample; write all cells, their predictions and the document."""
    ctx.sample(sample)
    bench, spec = open_bench(ctx, study, sample), SECTION.of(ctx.params)
    with (
        ctx.lock(f"transfer-{study}-{sample}"),
        fitting(
            ctx,
            "transfer",
            study,
            sample,
            fit_runner=bench.fit_runner,
            n_layers=bench.encoder.n_layers,
            n_fits=n_fitted(ctx, study, spec.schemes) * spec.n_seeds,
            tags={**bench.tags, "alf.study": study},
            needs_store=needs_registry(spec.schemes),
        ) as fitter,
    ):
        n_layers, uri = bench.encoder.n_layers, fitter.runs.uri
        fitter.runs.show_columns(Columns(transfer=(bench.study.metric,)))
        inputs = scheme_inputs(ctx, study, spec.schemes, bench.study.recipe, n_layers, uri)
        recipes = scheme_recipes(spec.schemes, inputs)
        _insert_adapters(bench, recipes.values())
        grid = cells(recipes, spec.n_seeds, spec.seed)
        fits = fitter.fit(grid, transfer_kind(bench), ctx.paths.cells("transfer", study, sample))
        document = _write(ctx, study, bench, fits)
        measure = document.metric.replace("_", " ")
        by_scheme = ", ".join(f"{scheme} {score(result.score.mean)}" for scheme, result in document.schemes.items())
        found = f"{study} to {sample}, {measure}: {by_scheme}"
        rows = [ScoreRow(scheme, result.score, result.difference) for scheme, result in document.schemes.items()]
        fitter.runs.show(scores_summary(found, f"test {measure}", rows, _JUDGED_IN_REPORT))
    ctx.console.log(found)


_JUDGED_IN_REPORT = "Differences are from plain fine-tuning. The report has the verdicts, over all samples together."


def _insert_adapters(bench: Bench, recipes: Iterable[AnyRecipe]) -> None:
    """Insert each adapter once, so that a fault is found before any fit."""
    for recipe in recipes:
        if isinstance(recipe, Recipe) and recipe.adapter is not None:
            bench.fit_runner.loader.encoder_for(bench.encoder_spec, recipe, bench.sample, bench.study.metric)


def transfer_kind(bench: Bench) -> CellKind[Cell]:
    """Return how a cell is fitted, written and logged."""
    digest, metric, n_layers = bench.sample.card.digest, bench.study.metric, bench.encoder.n_layers
    precision = bench.fit_runner.compute.precision

    def job(cell: Cell) -> FitJob:
        return cell_job(cell, bench.encoder_spec, digest, precision, metric)

    def line(cell: Cell, result: RecordedFit) -> TransferLine:
        return cell_line(cell, result, n_layers)

    def logged(cell: Cell, result: RecordedFit) -> LoggedFields:
        tags = {**bench.tags, "alf.scheme": cell.scheme, "alf.seed": str(cell.seed)}
        return LoggedFields({f"test.{metric}": result.score}, tags)

    return CellKind(job, line, logged)


def _write(ctx: Context, study: str, bench: Bench, fits: Fits) -> TransferDocument:
    """Write the predictions and the document, and return the document."""
    sample = bench.only
    metric = sample_metric(bench.study.metric, sample.card.n_classes)
    truth, predictions = sample.splits["test"].labels, predictions_by_scheme(fits)
    path = ctx.paths.document("transfer", study, sample.name)
    document = TransferDocument(
        study=study,
        searched_on=bench.study.sample,
        encoder=bench.encoder_identity,
        metric=bench.study.metric,
        sample=TransferSample(
            name=sample.name,
            digest=sample.card.digest,
            n_test=len(truth),
            majority_baseline=majority_baseline(metric, truth),
            label_names=sample.card.label_names,
        ),
        environments=shares(result.environment for _, result in fits),
        schemes=compare(truth, predictions, metric, _rates(fits, bench.encoder.n_layers)),
    )
    write_json(path.with_suffix(".predictions.json"), {"truth": truth, "predictions": predictions})
    write_transfer_files(ctx.paths, document)
    document.write(path)
    return document


def _rates(fits: Fits, n_layers: int) -> dict[str, LayerRates]:
    """Return the rates of each scheme that has some."""
    recipes = {cell.scheme: cell.recipe for cell, _ in fits}
    return {scheme: each.rates.at(n_layers) for scheme, each in recipes.items() if isinstance(each, Recipe)}
