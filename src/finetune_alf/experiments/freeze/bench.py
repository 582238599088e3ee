"""The fit_runner of a freeze sweep: its encoder and all of its samples, loaded and checked."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.data.glue import GLUE
from finetune_alf.data.sample import Card, Sample
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import InputError
from finetune_alf.experiments.freeze.cells import SweptSample
from finetune_alf.experiments.freeze.levels import Level, levels
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.metrics import METRICS, ProblemType, metrics_for
from finetune_alf.running.bench import open_samples
from finetune_alf.running.context import Context
from finetune_alf.train.job import FitRunner


@dataclass(frozen=True)
class SweepBench:
    """What the fits of a sweep need; `encoder` is the one that reads the first sample."""

    samples: Mapping[SweptSample, Sample]
    levels: tuple[Level, ...]
    encoder_spec: EncoderSpec
    encoder: Encoder
    fit_runner: FitRunner


def open_sweep(ctx: Context, name: str, spec: FreezeSpec) -> SweepBench:
    """Load a sweep's encoder and samples.

    Raises DataError, naming the stage to run, when a sample is not there or has no validation rows, EncoderError for
    the encoder, RatesError when it has fewer layers than are to be frozen, and InputError for a metric that a sample's
    labels do not have.
    """
    bench = open_samples(ctx, spec.encoder, spec.samples)
    samples = {swept(name, spec, sample): sample for sample in bench.samples.values()}
    grid = levels(spec.n_frozen, bench.encoder.n_layers, f"freeze.{name}.n_frozen")
    return SweepBench(samples, grid, bench.encoder_spec, bench.encoder, bench.fit_runner)


def swept(name: str, spec: FreezeSpec, sample: Sample) -> SweptSample:
    """Return a sample as the sweep of this name sees it.

    Raises DataError for one without validation rows, and InputError for a metric that its labels do not have.
    """
    sample.nonempty_split("validation")  # the rate is searched there
    has_test = len(sample.splits["test"].labels) > 0
    metrics = spec.metrics.get(sample.name) or default_metrics(sample.card)
    kind = _kind(sample.card)
    if strangers := [metric for metric in metrics if METRICS[metric].problem_type != kind]:
        raise InputError(
            f"freeze.{name}.metrics.{sample.name}: must be of {', '.join(metrics_for(kind))}, the metrics for "
            f"{kind}, but got {', '.join(strangers)}. Name one of those."
        )
    return SweptSample(sample.name, sample.card.digest, tuple(metrics), "test" if has_test else "validation")


def default_metrics(card: Card) -> tuple[str, ...]:
    """Return the metrics of a sample's task, GLUE's own where it is one of GLUE's."""
    if card.source.get("kind") == "glue":
        return GLUE[str(card.source["task"])].metrics
    return ("accuracy",) if _kind(card) == "classification" else ("pearson", "spearman")


def _kind(card: Card) -> ProblemType:
    return "classification" if card.label_names else "regression"
