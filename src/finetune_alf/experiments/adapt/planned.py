"""Further pre-training and the fits that show whether it helps, planned."""

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
from finetune_alf.encoder.spec import ADAPT_RECORD
from finetune_alf.experiments.adapt.document import AdaptDocument
from finetune_alf.experiments.adapt.forward import is_packed, masked_forward_of
from finetune_alf.experiments.adapt.learn import EVALUATION_BATCH, Phase, learn
from finetune_alf.experiments.adapt.masking import MaskLaw
from finetune_alf.experiments.adapt.pieces import Pieces
from finetune_alf.experiments.adapt.record import AdaptRecord
from finetune_alf.experiments.adapt.section import SECTION
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.adapt.texts import texts_of
from finetune_alf.params.section import entry
from finetune_alf.planning.elapsed import FinishedFit, elapsed_of, finished_cells
from finetune_alf.planning.planned import PlannedFits
from finetune_alf.planning.predict import Cost, FitGroup, Predictor, StagePlan
from finetune_alf.planning.probe import RATE, Probe
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.running.context import Context
from finetune_alf.train.precision import resolve_precision

FURTHER = "further pre-training"

N_STEPS = 3
"""Steps that are timed; of so few, twice over, each one is reported."""


def adapt_planned(ctx: Context, name: str) -> PlannedFits:
    """Return the training and the fits of `adapt.<name>`."""
    spec = entry("adapt", SECTION.of(ctx.params), name)

    def stages(predictor: Predictor) -> Iterator[StagePlan]:
        elapsed = elapsed_of(_trained_already(ctx, name))
        if (drawn := predictor.samples.get(spec.sample)) is None:
            yield predictor.unprepared(FURTHER, spec.sample, 1, elapsed)
        else:
            cost, seconds = _further(ctx, name, spec, predictor, drawn)
            yield predictor.planned(FURTHER, spec.sample, {FURTHER: 1}, {FURTHER: [cost]}, elapsed, {FURTHER: seconds})
        if spec.recipe is not None:
            compared = finished_cells(ctx.paths.cells("adapt", name), lambda cell: str(cell["side"]))
            fits = [FitGroup(side, [spec.recipe], spec.n_seeds) for side in ("without", "with")]
            yield predictor.stage("comparison", spec.sample, fits, "test", elapsed_of(compared))

    return PlannedFits(f"adapt {name}", spec.encoder, spec.recipe or _alike(spec), (spec.sample,), stages)


def _alike(spec: AdaptSpec) -> Recipe:
    """Return fine-tuning with the batches of further pre-training."""
    rates = UniformRates(rate=spec.rate)
    return Recipe(
        rates=rates,
        epochs=1,
        batch=spec.batch,
        max_tokens=spec.max_tokens,
        precision=spec.precision,
        allow_forgetting=True,
    )


def _further(ctx: Context, name: str, spec: AdaptSpec, predictor: Predictor, drawn: AnySample) -> tuple[Cost, float]:
    """Return what further pre-training costs, and its seconds: as long as a few steps take for each operation."""
    texts, device = texts_of(name, spec, drawn, ctx.paths.root), predictor.encoder.model.device
    masked_lm = load_masked_lm(predictor.spec, spec.seed, str(device))
    learned, held_out = (Pieces.of(masked_lm.pieces(some, spec.max_tokens)) for some in (texts.learned, texts.held_out))
    n_steps = spec.n_steps or (spec.epochs or 1) * math.ceil(len(learned) / spec.batch)
    n_warm_up = spec.warm_up_head.n_steps if masked_lm.newly_initialized else 0
    masking = MaskedTraining(n_steps, n_warm_up, spec.batch, spec.mask_frac)
    shape, lengths = predictor.shape, tuple(learned.lengths.tolist())
    engine = Engine(is_packed(masked_lm), EVALUATION_BATCH, 0, predictor.engine.bytes_per_number)
    work = mlm_work(shape, lengths, held_out.lengths.tolist(), engine, masking)
    every_token = replace(engine, packed=False)  # packed, a fit's top layer would answer for one token alone
    memory = fit_memory(shape, FitLengths(lengths, (), None, shape.vocab_size), _alike(spec), every_token)
    answers = mlm_logits_bytes(shape, sum(sorted(lengths)[-spec.batch :]), spec.mask_frac)
    second_a_flop = _second_a_flop(masked_lm, spec, learned, engine, predictor.probe)
    return Cost(work, memory.total + answers), work.flops * second_a_flop


def _second_a_flop(
    masked_lm: MaskedLanguageModel, spec: AdaptSpec, pieces: Pieces, engine: Engine, probe: Probe | None
) -> float:
    """Time the same few steps twice, the first time for warming up."""
    assert probe is not None  # noqa: S101 - there is one where the sample is prepared
    batch = probe.n_texts(spec.batch, spec.max_tokens)
    rows = torch.arange(0, len(pieces), max(len(pieces) // (N_STEPS * batch), 1))[: N_STEPS * batch]
    some = replace(pieces, lengths=pieces.lengths[rows], starts=pieces.starts[rows])
    n_steps = math.ceil(len(some) / batch)
    law = MaskLaw(spec.mask_frac, spec.whole_words, masked_lm.mask_token_id, torch.tensor(masked_lm.non_special_ids))
    phase = Phase(2 * n_steps, batch, RATE, 0.0, spec.seed, f"adapt.{spec.encoder}")
    times: list[float] = []
    precision = resolve_precision(spec.precision, masked_lm.device)
    learn(
        masked_forward_of(masked_lm, spec.seed),
        some,
        law,
        phase,
        precision,
        lambda point: times.append(time.monotonic()),
    )
    masking = MaskedTraining(n_steps, 0, batch, spec.mask_frac)
    once = mlm_work(probe.shape, some.lengths.tolist(), (), engine, masking)
    return (times[-1] - times[n_steps - 1]) / once.flops


def _trained_already(ctx: Context, name: str) -> list[FinishedFit]:
    """Return the training, from the results or, before the comparison is made, from what lies beside the weights."""
    document, beside_weights = ctx.paths.document("adapt", name), ctx.paths.adapted(name) / ADAPT_RECORD
    if document.exists():
        record = AdaptDocument.read(document).record
    elif beside_weights.exists():
        record = AdaptRecord.model_validate_json(beside_weights.read_bytes())
    else:
        return []
    return [FinishedFit(kind=FURTHER, started=record.started_ms / 1000, seconds=record.seconds)]
