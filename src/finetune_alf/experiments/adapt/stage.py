"""Stage `adapt`: train an encoder further on the texts of a task, and show what fine-tuning gains by it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from finetune_alf.data.mixture import AnySample, load_any_sample
from finetune_alf.encoder.spec import AdaptedEncoder, EncoderSpec
from finetune_alf.experiments.adapt.compare import (
    SIDES,
    Cell,
    cell_job,
    cell_line,
    cells,
    compare,
    comparison_metric,
)
from finetune_alf.experiments.adapt.document import AdaptDocument, Comparison, Side
from finetune_alf.experiments.adapt.further import Further, asked_digest
from finetune_alf.experiments.adapt.learn import Point
from finetune_alf.experiments.adapt.record import AdaptRecord, finished
from finetune_alf.experiments.adapt.section import SECTION
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.adapt.texts import texts_of
from finetune_alf.files import canonical_json, write_jsonl
from finetune_alf.params.section import entry
from finetune_alf.recipe import Recipe
from finetune_alf.running.bench import encoder_spec_of, fit_runner_of
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, Fitter, LoggedFields
from finetune_alf.running.parent_run import Runs, parent_run
from finetune_alf.tracking.record import Metric, RunRecord
from finetune_alf.train.ledger import Ledger
from finetune_alf.train.precision import resolve_device
from finetune_alf.train.result import FitResult

logger = logging.getLogger(__name__)


def adapt(ctx: Context, name: str) -> None:
    """Train `adapt.<name>` further, unless that is done, and compare it with the plain encoder where a recipe is given.

    Raises DataError, naming the stage to run, when the sample is not there.
    """
    spec = entry(SECTION.key, SECTION.of(ctx.params), name)
    sample = load_any_sample(ctx.paths.sample(spec.sample))
    metric = comparison_metric(name, spec, sample)
    tags = {"alf.adapt": name, "alf.sample": sample.name, "alf.sample.digest": sample.card.digest}
    with (
        ctx.lock(f"adapt-{name}"),
        parent_run(ctx, f"adapt/{name}", f"adapt {name}", tags) as runs,
    ):
        adaptation = _Adaptation(ctx, name, spec, sample, runs, tags)
        record = adaptation.train()
        compared = adaptation.compare(spec.recipe, metric) if spec.recipe and metric else None
        if compared is None:
            write_jsonl(ctx.paths.cells("adapt", name), [])
        AdaptDocument(record=record, comparison=compared).write(ctx.paths.document("adapt", name))
        runs.metrics.update(_summary(record, compared))
    ctx.console.log(f"{name}: {_in_short(record, compared)}")
    if record.note:
        ctx.console.log(f"{name}: {record.note}")


@dataclass(frozen=True)
class _Adaptation:
    """An adaptation with its sample loaded, and its open parent run."""

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
            with self.ctx.console.progress(f"adapt {self.name}", further.n_points) as bar:
                record = further.run(folder, lambda point: bar.advance(f"loss {point.loss:.3f}"))
        else:
            logger.info("%s: trained already under these settings", folder)
        self.runs.put(adaptation_run(record, self.tags))
        return record

    def compare(self, recipe: Recipe, metric: str) -> Comparison:
        """Fine-tune from both encoders, write the cells, and return the comparison."""
        ctx, stage, digest = self.ctx, f"adapt-{self.name}", self.sample.card.digest
        encoders: dict[Side, EncoderSpec] = {
            "without": encoder_spec_of(ctx, self.spec.encoder),
            "with": AdaptedEncoder(kind="adapted", adapt=self.name).folder_in(ctx.paths.root),
        }

        def logged(cell: Cell, result: FitResult) -> LoggedFields:
            tags = {**self.tags, "alf.side": cell.side, "alf.seed": str(cell.seed)}
            return LoggedFields({f"test.{metric}": result.score}, tags)

        kind = CellKind(lambda cell: cell_job(cell, recipe, encoders[cell.side], digest, metric), cell_line, logged)
        grid, fit_runner = cells(self.spec), fit_runner_of(ctx, {digest: ctx.paths.sample(self.spec.sample)})
        n_layers = fit_runner.encoder_for(encoders["without"], recipe, self.sample, metric).n_layers
        with ctx.console.progress(f"compare {self.name}", len(grid)) as bar:
            fitter = Fitter(ctx, stage, Ledger(ctx.paths.ledger(stage)), fit_runner, n_layers, self.runs, bar)
            fits = fitter.fit(grid, kind, ctx.paths.cells("adapt", self.name))
        truth = self.sample.tasks[self.sample.name].splits["test"].labels
        return compare(self.spec, metric, truth, fits)


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


def _summary(record: AdaptRecord, compared: Comparison | None) -> dict[str, float]:
    losses = {"mlm.loss.before": record.losses.before, "mlm.loss.after": record.losses.after}
    scores = {f"{side}.{compared.metric}": own.mean for side, own in compared.sides.items()} if compared else {}
    return {**losses, **scores}


def _in_short(record: AdaptRecord, compared: Comparison | None) -> str:
    loss = f"loss on held-out texts {record.losses.before:.3f} -> {record.losses.after:.3f}"
    if not compared:
        return loss
    if not compared.difference:
        return f"{loss}; no seed converged on both sides"
    without, adapted = (compared.sides[side].mean for side in SIDES)
    scores = f"{compared.metric} {without:.3f} without, {adapted:.3f} with"
    return f"{loss}; {scores}: {compared.difference.verdict}"
