"""What the fits of a sweep need: its encoder and all of its samples, loaded and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from finetune_alf.data.glue import GLUE
from finetune_alf.data.sample import Card, Sample
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import InputError
from finetune_alf.experiments.freeze.document import SweepSample
from finetune_alf.experiments.freeze.levels import Level, levels
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.metric_names import PROBLEM_TYPES, ProblemType, metrics_for
from finetune_alf.running.bench import open_samples
from finetune_alf.running.context import Context


@dataclass(frozen=True)
class SweepBench:
    """Encoder, samples and levels of a sweep; `encoder` has a head for the first sample."""

    samples: Mapping[SweepSample, Sample]
    levels: tuple[Level, ...]
    encoder_spec: EncoderSpec
    encoder: Encoder
    fit_runner: FitRunner


def open_sweep(ctx: Context, name: str, spec: FreezeSpec) -> SweepBench:
    """Load a sweep's encoder and samples.

    Raises DataError, naming the stage to run, when a sample is not there or has no validation texts, EncoderError for
    the encoder, RatesError when it has fewer layers than are to be frozen, or no more and nothing else learns, and
    InputError for a metric that does not suit a sample's labels.
    """
    bench = open_samples(ctx, spec.encoder, spec.samples)
    samples = {sweep_sample(name, spec, sample): sample for sample in bench.samples.values()}
    grid = levels_of(name, spec, bench.encoder.n_layers)
    return SweepBench(samples, grid, bench.encoder_spec, bench.encoder, bench.fit_runner)


def levels_of(name: str, spec: FreezeSpec, n_layers: int) -> tuple[Level, ...]:
    """Return the levels of `freeze.<name>` for an encoder of this depth; raises as `levels` does."""
    return levels(spec.n_frozen, n_layers, f"freeze.{name}.n_frozen", trains_head=spec.recipe.trains_head)


def sweep_sample(name: str, spec: FreezeSpec, sample: Sample) -> SweepSample:
    """Return the metrics of a sample in `freeze.<name>` and the split that scores it: test, or else validation.

    Raises DataError for a sample without validation texts, and InputError for a metric that does not suit its labels.
    """
    sample.nonempty_split("validation")  # the line search needs it
    metrics = spec.metrics.get(sample.name) or default_metrics(sample.card)
    problem_type = sample.card.problem_type
    if unsuitable := [metric for metric in metrics if problem_type not in PROBLEM_TYPES[metric]]:
        raise InputError(
            f"freeze.{name}.metrics.{sample.name}: must be of {', '.join(metrics_for(problem_type))}, the "
            f"metrics for {problem_type}, but got {', '.join(unsuitable)}. Name one of those."
        )
    score_on: Literal["validation", "test"] = "test" if sample.splits["test"].labels else "validation"
    return SweepSample(
        name=sample.name,
        digest=sample.card.digest,
        metrics=tuple(metrics),
        score_on=score_on,
        n_texts=len(sample.splits[score_on].labels),
    )


DEFAULT_METRICS: Mapping[ProblemType, tuple[str, ...]] = {
    "classification": ("accuracy",),
    "multi_label": ("micro_f1",),
    "regression": ("pearson", "spearman"),
}


def default_metrics(card: Card) -> tuple[str, ...]:
    """Return the metrics of a sample's task: those of GLUE for its tasks, else those of its problem type."""
    if card.source.get("kind") == "glue":
        return GLUE[str(card.source["task"])].metrics
    return DEFAULT_METRICS[card.problem_type]
