"""Probe: a few real steps and evaluations, timed, give the speed of one encoder's fits. The formulas are in `cost/`."""

import random
import time
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Any, Literal

import torch

from finetune_alf.compute import Compute
from finetune_alf.cost.shape import EncoderShape, Engine, FitLengths
from finetune_alf.cost.speed import Speed, TimedWork, estimate_speed
from finetune_alf.cost.work import Work, fit_work
from finetune_alf.data.sample import Sample, Split
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.fp32_types import computed_precision
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD, POOLER, LayerRates, adapter
from finetune_alf.recipe import ImmediateUnfreezing, Recipe
from finetune_alf.running.context import ProgressBar
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.evaluate import EVALUATION_BATCH
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.agreement import is_packed
from finetune_alf.train.forward.block_attention import LIBRARY_ATTENTION
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.frozen_features import MAX_FEATURES_BYTES
from finetune_alf.train.parts import TaskSplits
from finetune_alf.train.result import EpochMetrics

N_EPOCHS = 6
"""Epochs of a probe at most, of one step each. The first is for warming up: it fills the cache of frozen features, and
a CPU's library of matrix products prepares itself for each new number of tokens, of which one step has a single one."""

N_KINDS = 7
"""Kinds of probes: the steps of the progress bar."""

ENOUGH_TEXTS = 1000
"""About so many texts are tokenised to measure how long texts are."""

MIN_TOKENS = 8
"""No text is cut shorter: the special tokens of a pair take three."""

PATIENCE_S = 1.5
"""After this time a kind of probe ends, once it has two epochs: one to warm up and one to time."""

STEP_S = 1.0
"""About so long a step takes at most: on a slow or busy CPU a probe has fewer texts than a fit's batch."""

LEAST = 0.25
"""No fewer texts than this part of a batch: the time of a whole batch would be a guess."""

RATE = 1e-7
"""The learning rate of open addresses: it does not change the speed, and this one cannot diverge."""


def shape_of(encoder: Encoder) -> EncoderShape:
    """Read an encoder's sizes off its model."""
    model, config = encoder.model, encoder.model.config
    sizes = dict(model.named_parameters())
    words = model.get_input_embeddings().weight
    head = [sizes[name] for address in (POOLER, HEAD) for name in encoder.anatomy.parameters.get(address, ())]
    widening = [tensor for name, tensor in sizes.items() if "embeddings_project" in name or "hidden_mapping_in" in name]
    adapted = encoder.anatomy.parameters.get(adapter(0), ())
    depth = int(getattr(config, "num_hidden_layers", encoder.n_layers))
    return EncoderShape(
        n_layers=encoder.n_layers,
        hidden_size=int(config.hidden_size),
        intermediate_size=int(getattr(config, "intermediate_size", 0) or config.hidden_dim),
        n_heads=int(config.num_attention_heads),
        parameters={
            address: sum(sizes[name].numel() for name in names) for address, names in encoder.anatomy.parameters.items()
        },
        head=tuple(tensor.numel() for tensor in head if tensor.ndim == 2),
        vocab_size=words.shape[0],
        embedding_size=words.shape[1],
        projection=sum(tensor.numel() for tensor in widening if tensor.ndim == 2),
        n_passes=max(depth // max(encoder.n_layers, 1), 1),
        adapter=sum(sizes[name].numel() for name in adapted if sizes[name].ndim == 2),
    )


def engine_of(encoder: Encoder, compute: Compute) -> Engine:
    """Return how fits of an encoder are run."""
    packed = is_packed(encoder.model, encoder.identity)
    n_bytes = 2 if computed_precision(encoder.model, compute.precision) == "bf16" else 4
    keeps_attention = torch.device(compute.device).type not in LIBRARY_ATTENTION
    return Engine(
        packed, EVALUATION_BATCH, MAX_FEATURES_BYTES, n_bytes, compute.micro_batch, keeps_attention=keeps_attention
    )


def n_texts(batch: int, part: float) -> int:
    """Return the texts of a part of a batch, at least one."""
    return max(1, round(part * batch))


@dataclass(frozen=True)
class _Kind:
    """A kind of probe: tokens of a text at most, evaluated texts of an epoch and their tokens, number of frozen layers.

    Where layers are frozen, embeddings are too; `frozen_dropout` as in a Recipe.
    """

    max_tokens: int
    n_evaluated: int
    evaluated_tokens: int
    n_frozen: int = 0
    frozen_dropout: Literal["on", "off"] = "on"


def _kinds(whole: int, half: int, quarter: int, n_layers: int) -> tuple[_Kind, ...]:
    """Return the kinds that separate steps from evaluations, and fixed costs from costs by operation."""
    return (
        _Kind(whole, 1, quarter),
        _Kind(half, 1, quarter),
        _Kind(quarter, 1, quarter),
        _Kind(quarter, EVALUATION_BATCH, whole),
        _Kind(quarter, EVALUATION_BATCH, quarter),
        _Kind(whole, 1, quarter, n_frozen=n_layers // 2),
        _Kind(whole, 1, quarter, n_frozen=n_layers, frozen_dropout="off"),
    )


class Probe:
    """Times fits of one encoder without adapters, with the batches and text lengths of a recipe."""

    def __init__(self, encoder: Encoder, recipe: Recipe, sample: Sample, compute: Compute) -> None:
        """Prepare a probe of fits that are run as `compute` says."""
        if compute.n_threads:
            torch.set_num_threads(compute.n_threads)
        self.encoder, self.recipe, self.sample, self.compute = encoder, recipe, sample, compute
        self.shape, self.engine = shape_of(encoder), engine_of(encoder, compute)
        self.cpu_share: float | None = None
        self.fits_s: list[float] = []

    def speed(self, bar: ProgressBar) -> Speed:
        """Time steps and evaluations of each kind on texts of the probe's own sample."""
        whole, texts = self.recipe.max_tokens, self.sample.splits["train"].texts
        some = texts[:: len(texts) // ENOUGH_TEXTS or 1]
        length = int(median(map(len, self.encoder.tokenize(some, whole).input_ids)))
        half, quarter = max(length // 2, MIN_TOKENS), max(length // 4, MIN_TOKENS)
        started, had = time.monotonic(), time.process_time()
        timed = []
        for kind in _kinds(whole, half, quarter, self.shape.n_layers):
            timed.append(self._time(kind, self.sample, self.part))
            bar.advance()
        if self.encoder.model.device.type == "cpu":
            self.cpu_share = (time.process_time() - had) / (time.monotonic() - started)
        return estimate_speed(timed, median(self.fits_s))

    def speed_on(self, sample: Sample, speed: Speed) -> Speed:
        """Return the speed on another sample: batches of mixed text lengths take longer."""
        if sample.card.digest == self.sample.card.digest:
            return speed
        whole = self.recipe.max_tokens
        timed = self._time(_Kind(whole, EVALUATION_BATCH, whole), sample, self.part)
        return speed.scaled(timed.seconds / (speed.seconds(timed.work) - speed.fit_s))

    @cached_property
    def part(self) -> float:
        """The part of a batch whose step takes about STEP_S, at least LEAST; a GPU, which is fast, gets a whole one."""
        if self.encoder.model.device.type != "cpu":
            return 1.0
        timed = self._time(_Kind(self.recipe.max_tokens, 1, MIN_TOKENS), self.sample, LEAST)
        return min(max(LEAST, LEAST * STEP_S / timed.seconds), 1.0)

    def _time(self, kind: _Kind, sample: Sample, part: float) -> TimedWork:
        """Run a fit of a few epochs on a few texts.

        On a CPU the time is the processor time of this thread, which computes in all parts of a step: on a busy machine
        it leaves out the waits for a core, which differ from one second to the next. Of epochs the quickest counts,
        since other work on the machine makes them slower alone. EncoderError where the fit diverges at once.
        """
        batch, n_evaluated = n_texts(self.recipe.batch, part), n_texts(kind.n_evaluated, part)
        recipe = self._recipe(kind, batch)
        train = self._draw(sample.splits["train"], batch, kind.max_tokens)
        validation = self._draw(sample.splits["validation"], n_evaluated, kind.evaluated_tokens)
        clock = time.thread_time if self.encoder.model.device.type == "cpu" else time.monotonic
        began, ended = clock(), list[float]()  # of each epoch

        def go_on(_: EpochMetrics) -> bool:
            ended.append(clock())
            return len(ended) < 2 or ended[-1] < began + PATIENCE_S

        result = fit(
            self.encoder,
            TaskSplits(train, validation, validation),
            recipe,
            seed=0,
            precision=self.compute.precision,
            micro_batch=self.compute.micro_batch,
            report=go_on,
        )
        if len(ended) < 2:
            raise EncoderError(
                f"{self.encoder.identity}: must have a finite loss on texts of {sample.name} to be timed, but got NaN "
                "or infinity, so that its fits diverge. Check its weights, or compute.precision."
            )
        self.fits_s.append(result.seconds - sum(record.seconds for record in result.epochs))
        seconds = min(after - before for before, after in pairwise(ended))
        return TimedWork(self._step_work(train, validation, recipe), seconds)

    def _recipe(self, kind: _Kind, batch: int) -> Recipe:
        frozen = kind.n_frozen
        layers = [0.0] * frozen + [RATE] * (self.shape.n_layers - frozen)
        rates = LayerRates.of(0.0 if frozen else RATE, layers, RATE)
        changes: dict[str, Any] = {
            "epochs": N_EPOCHS,
            "batch": batch,
            "unfreezing": ImmediateUnfreezing(),
            "early_stopping": None,
            "steps_per_epoch": None,
        }
        changes |= {"adapter": None, "tasks": None, "objective": None}
        changes["frozen_dropout"] = kind.frozen_dropout
        return self.recipe.with_rates(rates).model_copy(update=changes)

    def _step_work(self, train: TokenizedSplit, validation: TokenizedSplit, recipe: Recipe) -> Work:
        """Return the work of an epoch after the first, which fills the cache of frozen features."""
        splits = [split.table.lengths.tolist() for split in (train, validation)]
        words = torch.unique(torch.cat([split.table.input_ids for split in (train, validation)]))
        lengths = FitLengths(tuple(splits[0]), tuple(splits[1]), None, len(words))
        once, twice = (
            fit_work(self.shape, lengths, recipe.model_copy(update={"epochs": epochs}), self.engine)
            for epochs in (1, 2)
        )
        return twice - once

    def _draw(self, split: Split, n: int, max_tokens: int) -> TokenizedSplit:
        """Draw texts, always the same ones. Labels do not change the speed: all are of the first class."""
        draw, device = random.Random(0), self.encoder.model.device  # noqa: S311 - no secret
        n = min(n, len(split.texts))
        table = TokenTable.of(self.encoder.tokenize(draw.sample(split.texts, n), max_tokens), device)
        return TokenizedSplit(table, torch.zeros(n, dtype=torch.long, device=device))
