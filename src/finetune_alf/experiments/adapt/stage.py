"""Stage `adapt`: pre-train an encoder further on the texts of a task, and compare fine-tuned scores."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from finetune_alf.checksums import canonical_json
from finetune_alf.data.mixture import AnySample, load_any_sample
from finetune_alf.encoder.spec import AdaptedEncoder, EncoderSpec
from finetune_alf.experiments.adapt.compare import (
    VARIANTS,
    Cell,
    cell_job,
    cell_line,
    cells,
    compare,
    comparison_metric,
)
from finetune_alf.experiments.adapt.document import AdaptDocument, Comparison, Variant
from finetune_alf.experiments.adapt.pretraining import FurtherPretraining, inputs_digest_of
from finetune_alf.experiments.adapt.record import AdaptRecord, LossPoint, read_finished
from finetune_alf.experiments.adapt.section import SECTION
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.adapt.texts import select_texts
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.json_files import write_jsonl
from finetune_alf.metrics import sample_metric
from finetune_alf.params.section import entry
from finetune_alf.recipe import Recipe
from finetune_alf.report.numbers import score
from finetune_alf.running.bench import encoder_spec_of, fit_runner_of
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import CellKind, Fitter, LoggedFields
from finetune_alf.running.parent_run import Runs, commit_tag, parent_run
from finetune_alf.running.summary import ScoreRow, Summary, scores_summary
from finetune_alf.tracking.record import Metric, RunRecord
from finetune_alf.train.result import RecordedFit

logger = logging.getLogger(__name__)


def adapt(ctx: Context, name: str) -> None:
    """Make the encoder of `adapt.<name>`, unless that is done, and with a recipe compare it with the plain encoder.

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
        comparison = adaptation.compare(spec.recipe, metric) if spec.recipe and metric else None
        if comparison is None:
            write_jsonl(ctx.paths.cells("adapt", name), [])
        AdaptDocument(record=record, comparison=comparison).write(ctx.paths.document("adapt", name))
        found = f"{name}: {_in_short(record, comparison)}"
        runs.metrics.update({"mlm/loss.before": record.losses.before, "mlm/loss.after": record.losses.after})
        runs.show(scores_summary(found, f"test {metric}", _rows(comparison)) if comparison else Summary(found, {}))
    ctx.console.log(found)
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
        """Train, unless there is an adaptation with the same settings, encoder and texts."""
        folder, plain = self.ctx.paths.adapted(self.name), encoder_spec_of(self.ctx, self.spec.encoder)
        texts = select_texts(self.name, self.spec, self.sample, self.ctx.paths.root)
        if n_threads := self.ctx.params.compute.n_threads:  # one process: no workers share the cores
            torch.set_num_threads(n_threads)
        own = {"n_threads": torch.get_num_threads(), "device": self.ctx.compute.device}
        environment = self.ctx.environment.model_copy(update=own)
        record = read_finished(folder, inputs_digest_of(self.spec, plain.identity(), texts, environment.precision))
        if record is None:
            pretraining = FurtherPretraining(self.name, self.spec, plain, texts, environment)
            with self.ctx.console.progress(f"adapt {self.name}", pretraining.n_points) as bar:
                record = pretraining.run(folder, lambda point: bar.advance(f"loss {point.loss:.3f}"))
        else:
            logger.info("%s: already trained with these settings", folder)
        self.runs.put(adaptation_run(record, self.tags))
        return record

    def compare(self, recipe: Recipe, metric: str) -> Comparison:
        """Fine-tune from both encoders, write the cells, and return the comparison."""
        ctx, stage, digest = self.ctx, f"adapt-{self.name}", self.sample.card.digest
        encoders: dict[Variant, EncoderSpec] = {
            "plain": encoder_spec_of(ctx, self.spec.encoder),
            "adapted": AdaptedEncoder(kind="adapted", adapt=self.name).folder_in(ctx.paths.root),
        }

        def logged(cell: Cell, result: RecordedFit) -> LoggedFields:
            tags = {**self.tags, "alf.variant": cell.variant, "alf.seed": str(cell.seed)}
            return LoggedFields({f"test.{metric}": result.score}, tags)

        def job(cell: Cell) -> FitJob:
            return cell_job(cell, recipe, encoders[cell.variant], digest, fit_runner.compute.precision, metric)

        kind = CellKind(job, cell_line, logged)
        grid, fit_runner = cells(self.spec), fit_runner_of(ctx, {digest: ctx.paths.sample(self.spec.sample)})
        n_layers = fit_runner.loader.encoder_for(encoders["plain"], recipe, self.sample, metric).n_layers
        with ctx.console.progress(f"compare {self.name}", len(grid)) as bar:
            fitter = Fitter(ctx, stage, Ledger(ctx.paths.ledger(stage)), fit_runner, n_layers, self.runs, bar)
            fits = fitter.fit(grid, kind, ctx.paths.cells("adapt", self.name))
        sample = self.sample.tasks[self.sample.name]
        return compare(sample_metric(metric, sample.card.n_classes), sample.splits["test"].labels, fits)


def adaptation_run(record: AdaptRecord, tags: Mapping[str, str]) -> RunRecord:
    """Return an adaptation as a run: settings as parameters, the training loss as a metric by step."""
    ran_in, note = record.environment, {"alf.note": record.note} if record.note else {}
    ended_ms = record.started_ms + round(record.seconds * 1000)
    keys = ("rate", "batch", "max_tokens", "warmup_frac", "mask_frac", "whole_words")
    params = {key: str(record.training[key]) for key in keys}
    losses = {"mlm/loss.before": record.losses.before, "mlm/loss.after": record.losses.after}
    return RunRecord(
        key=f"adapt-{record.name}/{record.inputs_digest[:16]}",
        name=f"further pre-training of {record.encoder['name']}",
        started_ms=record.started_ms,
        ended_ms=ended_ms,
        params={**params, "n_steps": str(record.n_steps), "precision": ran_in.precision, "device": ran_in.device},
        metrics=(
            *(_at("mlm/train_loss", point, ended_ms) for point in record.loss_curve),
            *(Metric(key, value, 0, ended_ms) for key, value in {**losses, "cost/seconds": record.seconds}.items()),
        ),
        tags={**tags, **commit_tag(ran_in.git_commit), "alf.encoder": record.encoder["identity"], **note},
        artifacts={"adapt.json": canonical_json(record.model_dump(mode="json")).encode()},
    )


def _at(name: str, point: LossPoint, ended_ms: int) -> Metric:
    return Metric(name, point.loss, point.step, ended_ms)


def _rows(comparison: Comparison) -> list[ScoreRow]:
    """Return the score from either encoder; the difference stands beside the adapted one's."""
    differences = {"adapted": comparison.difference}
    return [ScoreRow(name, score, differences.get(name)) for name, score in comparison.scores.items()]


def _in_short(record: AdaptRecord, comparison: Comparison | None) -> str:
    loss = f"MLM loss on held-out texts {record.losses.before:.3f} -> {record.losses.after:.3f}"
    if not comparison:
        return loss
    if not comparison.difference:
        return f"{loss}; no seed converged from both encoders"
    plain, adapted = (comparison.scores[variant].mean for variant in VARIANTS)
    scores = f"{comparison.metric} {score(plain)} plain, {score(adapted)} adapted"
    return f"{loss}; {scores}: {comparison.difference.verdict}"
