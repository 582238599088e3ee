"""Stage `adapt`: train an encoder further on the texts of a task, and show what fine-tuning gains by it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from finetune_alf.data.mixture import AnySample, load_any_sample
from finetune_alf.encoder.spec import AdaptedEncoder, EncoderSpec
from finetune_alf.experiments.adapt.compare import (
    Cell,
    Side,
    cell_job,
    cell_record,
    cells,
    compare,
    comparison_metric,
    diverged,
    predictions_of,
)
from finetune_alf.experiments.adapt.further import Further, asked_digest
from finetune_alf.experiments.adapt.learn import Point
from finetune_alf.experiments.adapt.record import AdaptRecord, finished
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.adapt.texts import texts_of
from finetune_alf.files import canonical_json, write_json, write_jsonl
from finetune_alf.recipe import Recipe
from finetune_alf.running.bench import encoder_spec_of, workbench_of
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import Fitter, Shown
from finetune_alf.running.mirrored import Runs, parent_run
from finetune_alf.tracking.record import Metric, RunRecord
from finetune_alf.train.job import FitJob
from finetune_alf.train.ledger import Ledger
from finetune_alf.train.precision import resolve_device
from finetune_alf.train.result import FitResult

logger = logging.getLogger(__name__)


def adapt(ctx: Context, name: str) -> None:
    """Train `adapt.<name>` further, unless that is done, and compare it with the plain encoder where a recipe is given.

    Raises DataError, naming the stage to run, when the sample is not there.
    """
    spec = ctx.adaptation(name)
    sample = load_any_sample(ctx.paths.sample(spec.sample))
    metric = comparison_metric(name, spec, sample)
    tags = {"alf.adapt": name, "alf.sample": sample.name, "alf.sample.digest": sample.card.digest}
    with (
        ctx.lock(f"adapt-{name}"),
        parent_run(ctx, f"adapt/{name}", f"adapt {name}", tags) as runs,
    ):
        work = _Adapt(ctx, name, spec, sample, runs, tags)
        record = work.train()
        compared = work.compare(spec.recipe, metric) if spec.recipe and metric else None
        if compared is None:
            write_jsonl(ctx.paths.adapt(name).with_suffix(".jsonl"), [])
        write_json(ctx.paths.adapt(name), {**record.model_dump(mode="json"), "comparison": compared})
        runs.metrics.update(_summary(record, compared))
    ctx.teller.say(f"{name}: {_in_short(record, compared)}")
    if record.note:
        ctx.teller.say(f"{name}: {record.note}")


@dataclass(frozen=True)
class _Adapt:
    """An adaptation at work."""

    ctx: Context
    name: str
    spec: AdaptSpec
    sample: AnySample
    runs: Runs
    tags: Mapping[str, str]

    def train(self) -> AdaptRecord:
        """Train further, or find it done under the same settings, encoder and texts."""
        folder, plain = self.ctx.paths.adapted(self.name), encoder_spec_of(self.ctx, self.spec.encoder)
        texts = texts_of(self.name, self.spec, self.sample, self.ctx.paths.root)
        record = finished(folder, asked_digest(self.spec, plain.identity(), texts))
        if record is None:
            compute = self.ctx.params.compute
            if compute.n_threads:
                torch.set_num_threads(compute.n_threads)
            further = Further(self.name, self.spec, plain, texts, resolve_device(compute.device))
            with self.ctx.teller.bar(f"adapt {self.name}", further.n_points) as bar:
                record = further.run(folder, lambda point: bar.advance(f"loss {point.loss:.3f}"))
        else:
            logger.info("%s: holds what is asked for, so that nothing is trained", folder)
        self.runs.put(adaptation_run(record, self.tags))
        return record

    def compare(self, recipe: Recipe, metric: str) -> dict[str, Any]:
        """Fine-tune from both encoders, write the cells, and return the comparison."""
        encoders: dict[Side, EncoderSpec] = {
            "without": encoder_spec_of(self.ctx, self.spec.encoder),
            "with": AdaptedEncoder(kind="adapted", adapt=self.name).folder_in(self.ctx.paths.root),
        }
        grid = cells(self.spec)
        jobs = [
            cell_job(key, recipe, encoders[cell.side], self.sample.card.digest, cell.seed, metric)
            for key, cell in grid.items()
        ]
        path = self.ctx.paths.adapt(self.name).with_suffix(".jsonl")
        results = self._fill(path, jobs, grid)
        truth = self.sample.tasks[self.sample.name].splits["test"].labels
        write_jsonl(path, [cell_record(cell, results[key]) for key, cell in grid.items()])
        compared = compare(self.spec, metric, truth, predictions_of(grid, results))
        return {**compared, "diverged": diverged(grid, results)}

    def _fill(self, path: Path, jobs: list[FitJob], grid: Mapping[str, Cell]) -> Mapping[str, FitResult]:
        ctx, stage, first = self.ctx, f"adapt-{self.name}", jobs[0]
        bench = workbench_of(ctx, {self.sample.card.digest: ctx.paths.sample(self.spec.sample)})
        n_layers = bench.encoder_for(first.encoder, first.recipe, self.sample, first.metric).n_layers

        def show(job: FitJob, result: FitResult) -> Shown:
            tags = {**self.tags, "alf.side": grid[job.key].side, "alf.seed": str(job.seed)}
            return Shown({f"test.{job.metric}": result.score}, tags)

        def line(job: FitJob, result: FitResult) -> dict[str, Any]:
            return cell_record(grid[job.key], result)

        with ctx.teller.bar(f"compare {self.name}", len(jobs)) as bar:
            fitter = Fitter(ctx, stage, Ledger(ctx.paths.ledger(stage)), bench, n_layers, self.runs, bar)
            return fitter.fill(path, jobs, show, line)


def adaptation_run(record: AdaptRecord, tags: Mapping[str, str]) -> RunRecord:
    """Return an adaptation as a run: its settings as parameters, the training loss as a curve."""
    ended_ms = record.started_ms + round(record.seconds * 1000)
    shown = ("rate", "batch", "max_tokens", "warmup_frac", "mask_frac", "whole_words")
    params = {key: str(record.training[key]) for key in shown}
    finals = {"mlm.loss.before": record.losses.before, "mlm.loss.after": record.losses.after, "seconds": record.seconds}
    return RunRecord(
        key=f"adapt-{record.name}/{record.asked[:16]}",
        name=f"further pre-training of {record.encoder['name']}",
        started_ms=record.started_ms,
        ended_ms=ended_ms,
        params={**params, "n_steps": str(record.n_steps), "precision": record.precision, "device": record.device},
        metrics=(
            *(_at("mlm.train.loss", point, ended_ms) for point in record.curve),
            *(Metric(key, value, record.n_steps, ended_ms) for key, value in finals.items()),
        ),
        tags={**tags, "alf.encoder": record.encoder["identity"], **({"alf.note": record.note} if record.note else {})},
        artifacts={"adapt.json": canonical_json(record.model_dump(mode="json")).encode()},
    )


def _at(name: str, point: Point, ended_ms: int) -> Metric:
    return Metric(name, point.loss, point.step, ended_ms)


def _summary(record: AdaptRecord, compared: Mapping[str, Any] | None) -> dict[str, float]:
    losses = {"mlm.loss.before": record.losses.before, "mlm.loss.after": record.losses.after}
    sides = compared["sides"] if compared else {}
    return {**losses, **{f"{side}.{compared['metric']}": own["mean"] for side, own in sides.items() if compared}}


def _in_short(record: AdaptRecord, compared: Mapping[str, Any] | None) -> str:
    said = f"loss on held-out texts {record.losses.before:.3f} -> {record.losses.after:.3f}"
    if not compared:
        return said
    if not compared["difference"]:
        return f"{said}; no seed converged on both sides"
    without, adapted = (compared["sides"][side]["mean"] for side in ("without", "with"))
    told = f"{compared['metric']} {without:.3f} without, {adapted:.3f} with"
    return f"{said}; {told}: {compared['difference']['verdict']}"
