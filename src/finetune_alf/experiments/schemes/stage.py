"""Stage `schemes`: fine-tune under each scheme, adapter and curve, and lay what came of it side by side."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.data.sample import Sample, load_sample
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import InputError
from finetune_alf.experiments.freeze.bench import n_outputs
from finetune_alf.experiments.schemes.cells import SCORED_ON, Cell, cell_job, cell_record, cells
from finetune_alf.experiments.schemes.compare import compare
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.files import write_json, write_jsonl
from finetune_alf.metrics import METRICS, majority_baseline
from finetune_alf.running.bench import encoder_spec_of, workbench_of
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import Fitter, Shown
from finetune_alf.running.mirrored import Runs, parent_run
from finetune_alf.schedules.pull import pull
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.spec import Spec
from finetune_alf.train.job import FitJob, Workbench
from finetune_alf.train.ledger import Ledger
from finetune_alf.train.result import FitResult

Fits = Sequence[tuple[Cell, FitResult]]

_NOT_IN_NAMES = re.compile(r"[^\w./ -]")  # of MLflow's metrics: schemes have + and @ in theirs


def schemes(ctx: Context, name: str) -> None:
    """Do the fits of `schemes.<name>` that are not done yet, and write its cells and its tables."""
    spec = ctx.testbed(name)
    with ctx.lock(f"schemes-{name}"):
        bed = _open(ctx, name, spec)
        tags = {"alf.schemes": name, "alf.encoder": bed.encoder.identity}
        with parent_run(ctx, f"schemes/{name}", f"schemes {name}", tags) as runs:
            schedules = {one: _pull(ctx, one, runs.tracker.uri) for one in spec.schedules}
            fits = _fill(ctx, bed, cells(spec, schedules, bed.encoder.n_layers), runs)
            tables = _write(ctx, bed, fits)
            runs.metrics.update(_summary(tables))
    for sample, told in tables.items():
        ctx.teller.say(f"{name}, {sample}: {_in_short(told['combinations'])}")


@dataclass(frozen=True)
class _Testbed:
    """What the fits of a testbed need; `encoder` is the bare one, with a head for the first sample."""

    name: str
    spec: SchemesSpec
    samples: Mapping[str, Sample]
    encoder_spec: EncoderSpec
    encoder: Encoder
    workbench: Workbench


def _open(ctx: Context, name: str, spec: SchemesSpec) -> _Testbed:
    """Load encoder and samples, and build in each adapter once, so that one that cannot be is told before any fit.

    Raises DataError, naming the stage to run, for a sample that is not there, EncoderError for encoder and adapters,
    and InputError for a metric that a sample's labels do not have.
    """
    samples = {each: load_sample(ctx.paths.sample(each)) for each in spec.samples}
    kind = METRICS[spec.metric].of
    for each, sample in samples.items():
        if bool(sample.card.label_names) != (kind == "classes"):
            raise InputError(
                f"schemes.{name}.metric: must be one for the labels of {each}, but got {spec.metric}, which is for "
                f"{kind}. Name another metric, or put {each} into a testbed of its own."
            )
    folders = {sample.card.digest: ctx.paths.sample(each) for each, sample in samples.items()}
    workbench = workbench_of(ctx, folders)
    encoder_spec = encoder_spec_of(ctx, spec.encoder)
    n_labels = n_outputs(samples[spec.samples[0]].card)
    encoder = workbench.encoder(encoder_spec, n_labels)
    for one in spec.combinations:
        workbench.encoder(encoder_spec, n_labels, one.adapter)
    return _Testbed(name, spec, samples, encoder_spec, encoder, workbench)


def _pull(ctx: Context, reference: str, uri: str) -> Schedule:
    """Pull a schedule; a file's path starts at the root, wherever the command was called."""
    return pull(str(ctx.paths.root / reference) if reference.endswith(".json") else reference, uri)


def _fill(ctx: Context, bed: _Testbed, grid: Sequence[Cell], runs: Runs) -> Fits:
    """Do the cells; each is a line of the results as soon as it is done."""
    stage, by_key, n_layers = f"schemes-{bed.name}", {cell.key: cell for cell in grid}, bed.encoder.n_layers
    digests, metric = {each: sample.card.digest for each, sample in bed.samples.items()}, bed.spec.metric
    jobs = [cell_job(cell, bed.encoder_spec, digests[cell.sample], metric) for cell in grid]

    def show(job: FitJob, result: FitResult) -> Shown:
        cell = by_key[job.key]
        tags = {"alf.encoder": bed.encoder.identity, **_tags(cell, digests[cell.sample])}
        return Shown({f"{SCORED_ON}.{metric}.kept": result.score}, tags)

    def line(job: FitJob, result: FitResult) -> dict[str, Any]:
        return cell_record(by_key[job.key], result, n_layers)

    with ctx.teller.bar(f"schemes {bed.name}", len(jobs)) as bar:
        fitter = Fitter(ctx, stage, Ledger(ctx.paths.ledger(stage)), bed.workbench, n_layers, runs, bar)
        results = fitter.fill(ctx.paths.schemes(bed.name).with_suffix(".jsonl"), jobs, show, line)
    return [(cell, results[cell.key]) for cell in grid]


def _tags(cell: Cell, digest: str) -> dict[str, str]:
    return {
        "alf.sample": cell.sample,
        "alf.sample.digest": digest,
        "alf.scheme": cell.combination.scheme,
        "alf.adapter": cell.combination.adapter_name,
        "alf.curve": cell.combination.curve.kind,
        "alf.seed": str(cell.seed),
    }


def _write(ctx: Context, bed: _Testbed, fits: Fits) -> dict[str, dict[str, Any]]:
    """Write the cells, in the order of the grid, and the tables."""
    path, spec, compute = ctx.paths.schemes(bed.name), bed.spec, ctx.params.compute
    tables = {
        each: _table(spec, sample, [(cell, f) for cell, f in fits if cell.sample == each])
        for each, sample in bed.samples.items()
    }
    write_jsonl(path.with_suffix(".jsonl"), [cell_record(cell, fit, bed.encoder.n_layers) for cell, fit in fits])
    n_parameters = sum(parameter.numel() for parameter in bed.encoder.model.parameters())
    document = {
        "name": bed.name,
        "encoder": {
            "name": spec.encoder,
            "identity": bed.encoder.identity,
            "n_layers": bed.encoder.n_layers,
            "n_parameters": n_parameters,
        },
        "metric": spec.metric,
        "recipe": spec.recipe.model_dump(mode="json"),
        "adapter_rate": spec.adapter_rate,
        "adapters": _each_once(one.adapter for one in spec.combinations if one.adapter),
        "curves": _each_once(one.curve for one in spec.combinations),
        "n_seeds": spec.n_seeds,
        "n_at_once": max(compute.n_workers, compute.n_fused),
        "machine": fits[0][1].model_dump(mode="json", include={"device", "precision", "n_threads"}),
        "left_out": spec.left_out,
        "samples": tables,
    }
    write_json(path, document)
    return tables


def _each_once(settings: Iterable[Spec]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") for one in dict.fromkeys(settings)]


def _table(spec: SchemesSpec, sample: Sample, fits: Fits) -> dict[str, Any]:
    truth = sample.splits[SCORED_ON].labels
    about = {
        "name": sample.name,
        "digest": sample.card.digest,
        "n_train": len(sample.splits["train"].labels),
        "n_validation": len(truth),
        "majority": majority_baseline(spec.metric, truth),
        "epochs": spec.epochs_of(sample.name),
    }
    return {"sample": about, "combinations": compare(spec, sample.name, truth, fits)}


def _summary(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return each combination's score, for the parent run."""
    return {
        _NOT_IN_NAMES.sub(".", f"{sample}/{row['scheme']}/{row['adapter']}/{row['curve']}"): row["score"]["mean"]
        for sample, told in tables.items()
        for row in told["combinations"]
        if row["score"]
    }


def _in_short(rows: Sequence[Mapping[str, Any]]) -> str:
    scored = [row for row in rows if row["score"]]
    if not scored:
        return "every fit diverged"
    best = max(scored, key=lambda row: row["score"]["mean"])
    return f"highest {best['scheme']}, {best['adapter']}, {best['curve']}: {best['score']['mean']:.3f}"
