"""Stage `transfer`: fine-tune the pre-trained encoder on a sample under each scheme, and compare on its test split."""

from collections.abc import Mapping
from typing import Any

from finetune_alf.errors import ScheduleError
from finetune_alf.experiments.transfer.cells import Cell, cell_job, cell_record, cells, predictions_by_scheme
from finetune_alf.experiments.transfer.compare import compare
from finetune_alf.experiments.transfer.schemes import scheme_recipes
from finetune_alf.files import write_json, write_jsonl
from finetune_alf.metrics import majority_baseline
from finetune_alf.register.lock import locked_schedules, model_name
from finetune_alf.running.bench import Bench, open_bench
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import Fitter, Shown
from finetune_alf.running.mirrored import Runs, parent_run
from finetune_alf.schedules.registry import Registry
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.train.job import FitJob
from finetune_alf.train.ledger import Ledger
from finetune_alf.train.result import FitResult


def transfer(ctx: Context, study: str, sample: str) -> None:
    """Fill the cells of one study and one sample, and write them, their predictions and the comparison."""
    ctx.sample(sample)
    bench, spec = open_bench(ctx, study, sample), ctx.params.transfer
    key = f"transfer/{study}/{sample}"
    with (
        ctx.lock(key.replace("/", "-")),
        parent_run(ctx, key, f"transfer {study} to {sample}", {**bench.tags, "alf.study": study}) as runs,
    ):
        schedules = _pull(ctx, study, Registry(runs.tracker.uri)) if _wants_schedules(spec.schemes) else {}
        recipes = scheme_recipes(spec.schemes, bench.study.recipe, schedules, bench.encoder.n_layers, spec.decay)
        grid = cells(recipes, spec.n_seeds, spec.seed)
        results = _fill(ctx, study, bench, grid, runs)
        compared = _write(ctx, study, bench, grid, results)
        metric = bench.study.metric
        runs.metrics.update({f"{scheme}.{metric}": told["score"]["mean"] for scheme, told in compared.items()})
    scores = ", ".join(f"{scheme} {told['score']['mean']:.3f}" for scheme, told in compared.items())
    ctx.teller.say(f"{study} to {sample}, {metric.replace('_', ' ')}: {scores}")


def _wants_schedules(schemes: tuple[str, ...]) -> bool:
    return any(scheme.startswith("alf-") for scheme in schemes)


def _pull(ctx: Context, study: str, registry: Registry) -> dict[str, Schedule]:
    """Return the study's schedules from the registry, each the very one that the lock file names."""
    schedules = {}
    for alias, locked in locked_schedules(ctx.paths.schedules(study)).items():
        pulled = registry.pull(f"{model_name(study)}@{alias}").schedule
        if pulled.digest != locked.digest:
            raise ScheduleError(
                f"{model_name(study)}@{alias}: must have the digest {locked.digest[:12]} of the lock file, but the "
                f"registry has {pulled.digest[:12]}. Run `finetune-alf register {study} --from-lock` to register what "
                "the lock file holds, or the register stage to confirm anew."
            )
        schedules[alias] = pulled
    return schedules


def _fill(ctx: Context, study: str, bench: Bench, grid: Mapping[str, Cell], runs: Runs) -> Mapping[str, FitResult]:
    name, digest, metric = f"transfer-{study}-{bench.sample.name}", bench.sample.card.digest, bench.study.metric
    jobs = [cell_job(key, cell, bench.encoder_spec, digest, metric) for key, cell in grid.items()]

    def show(job: FitJob, result: FitResult) -> Shown:
        cell = grid[job.key]
        tags = {**bench.tags, "alf.scheme": cell.scheme, "alf.seed": str(cell.seed)}
        return Shown({f"test.{metric}": result.score}, tags)

    with ctx.teller.bar(f"transfer {study} to {bench.sample.name}", len(jobs)) as bar:
        ledger = Ledger(ctx.paths.ledger(name))
        return Fitter(ctx, name, ledger, bench.workbench, bench.encoder.n_layers, runs, bar).do(jobs, show)


def _write(
    ctx: Context, study: str, bench: Bench, grid: Mapping[str, Cell], results: Mapping[str, FitResult]
) -> dict[str, Any]:
    sample, folder, n_layers = bench.only, ctx.paths.transfer(study), bench.encoder.n_layers
    truth, metric = sample.splits["test"].labels, bench.study.metric
    predictions = predictions_by_scheme(grid, results)
    compared = compare(truth, predictions, ctx.params.transfer, metric)
    write_jsonl(
        folder / f"{sample.name}.jsonl", [cell_record(cell, results[key], n_layers) for key, cell in grid.items()]
    )
    write_json(folder / f"{sample.name}.predictions.json", {"truth": truth, "predictions": predictions})
    about = {
        "name": sample.name,
        "digest": sample.card.digest,
        "n_test": len(truth),
        "majority": majority_baseline(metric, truth),
    }
    write_json(folder / f"{sample.name}.json", {"study": study, "metric": metric, "sample": about, "schemes": compared})
    return compared
