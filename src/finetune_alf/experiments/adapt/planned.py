"""Further pre-training and the fits of its comparison, planned."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace

import torch

from finetune_alf.cost.memory import fit_memory
from finetune_alf.cost.mlm import MaskedTraining, mlm_logits_bytes, mlm_work
from finetune_alf.cost.shape import Engine, FitLengths
from finetune_alf.data.mixture import AnySample
from finetune_alf.encoder.masked_lm import MaskedLanguageModel, load_masked_lm
from finetune_alf.encoder.spec import AdaptedEncoder, EncoderSpec
from finetune_alf.experiments.adapt.compare import cell_job, cells, comparison_metric
from finetune_alf.experiments.adapt.document import Variant
from finetune_alf.experiments.adapt.family import ADAPTED, PLAIN
from finetune_alf.experiments.adapt.forward import mlm_forward_of
from finetune_alf.experiments.adapt.masking import MaskingRule
from finetune_alf.experiments.adapt.pieces import Pieces
from finetune_alf.experiments.adapt.pretraining import inputs_digest_of
from finetune_alf.experiments.adapt.record import read_finished
from finetune_alf.experiments.adapt.section import SECTION
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.adapt.texts import AdaptTexts, select_texts
from finetune_alf.experiments.adapt.train import EVALUATION_BATCH, Phase, train
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import FinishedFit, elapsed_of
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import Cost, FitGroup, Predictor
from finetune_alf.planning.probe import RATE, Probe, n_texts
from finetune_alf.planning.stage_jobs import StageJobs
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.running.context import Context
from finetune_alf.train.forward.agreement import is_packed

PRETRAINING = "further pre-training"

N_STEPS = 3
"""Steps that are timed. So few, and twice as many, are all logging steps."""


def adapt_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the training and the fits of `adapt.<name>`."""
    spec = entry("adapt", SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        if (sample := predictor.samples.get(spec.sample)) is None:
            yield predictor.unprepared(PRETRAINING, spec.sample, 1)
            if spec.recipe is not None:
                yield predictor.unprepared("comparison", spec.sample, len(cells(spec)))
            return
        texts = select_texts(name, spec, sample, ctx.paths.root)
        finished = _finished_training(ctx, name, spec, predictor, texts)
        cost, seconds = _training_cost(spec, predictor, texts)
        by_kind = ({PRETRAINING: 1}, {PRETRAINING: [cost]})
        yield predictor.planned(PRETRAINING, spec.sample, *by_kind, elapsed_of(finished), {PRETRAINING: seconds})
        metric = comparison_metric(name, spec, sample)
        if spec.recipe is not None and metric is not None:
            yield from _comparison(ctx, name, spec, spec.recipe, predictor, sample, metric, is_trained=bool(finished))

    return PlannedFits(f"adapt {name}", spec.encoder, spec.recipe or _same_batches(spec), (spec.sample,), stages)


def _same_batches(spec: AdaptSpec) -> Recipe:
    """Return a recipe for fine-tuning with the batches of further pre-training."""
    return Recipe(
        rates=UniformRates(rate=spec.rate),
        epochs=1,
        batch=spec.batch,
        max_tokens=spec.max_tokens,
        allow_forgetting=True,
    )


def _comparison(
    ctx: Context,
    name: str,
    spec: AdaptSpec,
    recipe: Recipe,
    predictor: Predictor,
    sample: AnySample,
    metric: str,
    *,
    is_trained: bool,
) -> Iterator[StagePlan]:
    """Yield the fits of the comparison; those from the adapted encoder are not named before it is trained."""
    digest, precision = sample.card.digest, predictor.fit_runner.compute.precision
    encoders: dict[Variant, EncoderSpec] = {PLAIN: predictor.spec}
    if is_trained:
        encoders[ADAPTED] = AdaptedEncoder(kind="adapted", adapt=name).folder_in(ctx.paths.root)
    jobs = [
        (cell.variant, cell_job(cell, recipe, encoders[cell.variant], digest, precision, metric))
        for cell in cells(spec)
        if cell.variant in encoders
    ]
    others = [] if is_trained else [FitGroup(ADAPTED, [recipe], spec.n_seeds, "test")]
    yield from StageJobs.of(ctx, predictor, f"adapt-{name}").stage("comparison", spec.sample, jobs, others)


def _training_cost(spec: AdaptSpec, predictor: Predictor, texts: AdaptTexts) -> tuple[Cost, float]:
    """Return the cost of further pre-training, and its seconds at the speed of a few timed steps."""
    device = predictor.encoder.model.device
    masked_lm = load_masked_lm(predictor.spec, spec.seed, str(device))
    pieces, held_out = (Pieces.of(masked_lm.pieces(each, spec.max_tokens)) for each in (texts.train, texts.held_out))
    n_warm_up = spec.warm_up_head.n_steps if masked_lm.newly_initialized else 0
    training = MaskedTraining(spec.n_steps_for(len(pieces)), n_warm_up, spec.batch, spec.mask_frac)
    shape, lengths = predictor.shape, tuple(pieces.lengths.tolist())
    engine = Engine(
        is_packed(masked_lm.model, masked_lm.identity), EVALUATION_BATCH, 0, predictor.engine.bytes_per_number
    )
    work = mlm_work(shape, lengths, held_out.lengths.tolist(), engine, training)
    all_tokens = replace(engine, packed=False)  # in a packed fit the top layer computes the first token only
    memory = fit_memory(shape, FitLengths(lengths, (), None, shape.vocab_size), _same_batches(spec), all_tokens)
    logits = mlm_logits_bytes(shape, sum(sorted(lengths)[-spec.batch :]), spec.mask_frac)
    flop_s = _seconds_per_flop(masked_lm, spec, pieces, engine, predictor.probe)
    return Cost(work, memory.total + logits), work.flops * flop_s


def _seconds_per_flop(
    masked_lm: MaskedLanguageModel, spec: AdaptSpec, pieces: Pieces, engine: Engine, probe: Probe | None
) -> float:
    """Train the same few steps twice, and time the second time; the first is for warming up."""
    assert probe is not None  # noqa: S101 - there is one where the sample is prepared
    batch = n_texts(spec.batch, probe.part)
    rows = torch.arange(0, len(pieces), max(len(pieces) // (N_STEPS * batch), 1))[: N_STEPS * batch]
    subset = replace(pieces, lengths=pieces.lengths[rows], starts=pieces.starts[rows])
    n_steps = math.ceil(len(subset) / batch)
    rule = MaskingRule.of(masked_lm, spec.mask_frac, spec.whole_words)
    phase = Phase(2 * n_steps, batch, RATE, 0.0, spec.seed, f"adapt.{spec.encoder}")
    times: list[float] = []
    forward = mlm_forward_of(masked_lm, spec.seed)
    train(forward, subset, rule, phase, probe.compute.precision, lambda point: times.append(time.monotonic()))
    work = mlm_work(probe.shape, subset.lengths.tolist(), (), engine, MaskedTraining(n_steps, 0, batch, spec.mask_frac))
    return (times[-1] - times[n_steps - 1]) / work.flops


def _finished_training(
    ctx: Context, name: str, spec: AdaptSpec, predictor: Predictor, texts: AdaptTexts
) -> list[FinishedFit]:
    """Return the training, where the encoder is there with these settings, encoder and texts."""
    precision = predictor.fit_runner.compute.precision
    inputs = inputs_digest_of(spec, predictor.encoder.identity, texts, precision)
    record = read_finished(ctx.paths.adapted(name), inputs)
    return [FinishedFit(kind=PRETRAINING, started=record.started_ms / 1000, seconds=record.seconds)] if record else []
