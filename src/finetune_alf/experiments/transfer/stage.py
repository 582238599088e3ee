"""Stage `transfer`: fine-tune the pre-trained encoder on a sample under each scheme, and compare on its test split."""

from collections.abc import Sequence

from finetune_alf.compute.environment import shares
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
from finetune_alf.experiments.transfer.schemes import scheme_recipes
from finetune_alf.experiments.transfer.section import SECTION
from finetune_alf.files import write_json
from finetune_alf.metrics import majority_baseline, sample_metric
from finetune_alf.register.lock import pull_locked, read_lock
from finetune_alf.running.bench import Bench, open_bench
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, LoggedFields, fitting
from finetune_alf.schedules.registry import Registry, model_name
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.train.job import FitJob
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
            n_fits=len(spec.schemes) * spec.n_seeds,
            tags={**bench.tags, "alf.study": study},
        ) as fitter,
    ):
        schedules = _pull(ctx, study, Registry(fitter.runs.tracker.uri)) if _has_schedules(spec.schemes) else {}
        recipes = scheme_recipes(spec.schemes, bench.study.recipe, schedules, bench.encoder.n_layers, spec.decay)
        grid = cells(recipes, spec.n_seeds, spec.seed)
        fits = fitter.fit(grid, _kind(bench), ctx.paths.cells("transfer", study, sample))
        document = _write(ctx, study, bench, fits)
        scores = {scheme: result.score.mean for scheme, result in document.schemes.items()}
        fitter.runs.metrics.update({f"{scheme}.{document.metric}": score for scheme, score in scores.items()})
    by_scheme = ", ".join(f"{scheme} {score:.3f}" for scheme, score in scores.items())
    ctx.console.log(f"{study} to {sample}, {document.metric.replace('_', ' ')}: {by_scheme}")


def _has_schedules(schemes: Sequence[str]) -> bool:
    return any(scheme.startswith("alf-") for scheme in schemes)


def _pull(ctx: Context, study: str, registry: Registry) -> dict[str, Schedule]:
    """Pull the versions of the study's lock file from the registry; ScheduleError for one that it does not have."""
    pulled = pull_locked(registry, read_lock(ctx.paths.schedules(study)), model_name(ctx.project, study))
    return {alias: each.schedule for alias, each in pulled.items()}


def _kind(bench: Bench) -> CellKind[Cell]:
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
        ),
        environments=shares(result.environment for _, result in fits),
        schemes=compare(truth, predictions, metric),
    )
    write_json(path.with_suffix(".predictions.json"), {"truth": truth, "predictions": predictions})
    document.write(path)
    return document
