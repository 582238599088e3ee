"""The training loop: one fit of one recipe from the encoder's first weights."""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.encoder.load import Encoder
from finetune_alf.rates import EMBEDDINGS, LayerRates
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import Labelled, shuffled_batches
from finetune_alf.train.evaluate import EVALUATION_BATCH, Evaluation, evaluate
from finetune_alf.train.forward.protocol import Forward, forward_of
from finetune_alf.train.lr import Pace
from finetune_alf.train.precision import Precision, arithmetic, resolve_precision
from finetune_alf.train.prefixes import Prefixes
from finetune_alf.train.result import EpochRecord, FitResult
from finetune_alf.train.standing import Facts, Standing

Report = Callable[[EpochRecord], bool]
"""Takes an epoch's record; answers False to stop the fit."""


@dataclass(frozen=True)
class FitTexts:
    """What a fit learns from, what it is watched on, and what it is scored on (often the same as watched)."""

    train: Labelled
    validation: Labelled
    scored: Labelled


def fit(
    encoder: Encoder,
    texts: FitTexts,
    recipe: Recipe,
    seed: int,
    *,
    metric: str = "accuracy",
    report: Report = lambda record: True,
) -> FitResult:
    """Fine-tune an encoder, which afterwards holds the weights that were scored.

    The seed decides the head's first weights, the order of the texts and dropout. A loss that is not a number
    ends the fit as diverged. Raises RatesError when the recipe's rates do not fit the encoder.
    """
    started = time.time()
    encoder.reset(child_seed(seed, "head"))
    torch.manual_seed(child_seed(seed, "dropout"))  # the only global seeding: dropout takes no generator
    rates = recipe.rates.at(encoder.n_layers)
    n_open_parameters = open_parameters(encoder, rates)
    forward = forward_of(encoder.model, child_seed(seed, "dropout"))
    with cut_words(forward, texts, recipe, rates):
        loop = _Loop(encoder, forward, texts, recipe, seed, metric)
        loop.run(report)
        scored = loop.score()
    facts = Facts(started, loop.n_steps, n_open_parameters, texts.train.labels.device, loop.precision)
    return loop.standing.result(scored, facts)


def open_parameters(encoder: Encoder, rates: LayerRates) -> int:
    """Return how many weights have a rate above 0."""
    opened = (encoder.anatomy.parameters[address] for address, rate in rates.items() if rate > 0)
    return sum(encoder.model.get_parameter(name).numel() for names in opened for name in names)


def cut_words(
    forward: Forward, texts: FitTexts, recipe: Recipe, rates: LayerRates
) -> contextlib.AbstractContextManager[None]:
    """Hold open embeddings to the words that occur, where that changes nothing."""
    if rates[EMBEDDINGS] == 0 or recipe.optimizer.weight_decay > 0:
        return contextlib.nullcontext()
    return forward.cut([split.table for split in (texts.train, texts.validation, texts.scored)])


class _Loop:
    """The state of one fit between its epochs."""

    def __init__(
        self, encoder: Encoder, forward: Forward, texts: FitTexts, recipe: Recipe, seed: int, metric: str
    ) -> None:
        self.model, self.forward, self.texts = encoder.model, forward, texts
        self.recipe, self.seed, self.standing = recipe, seed, Standing(recipe, metric)
        steps_an_epoch = math.ceil(len(texts.train) / recipe.batch)
        self.pace = Pace(self.model, encoder.anatomy, recipe, recipe.epochs * steps_an_epoch)
        self.precision: Precision = resolve_precision(recipe.precision, texts.train.labels.device)
        self.prefixes = Prefixes(forward, encoder.anatomy, encoder.model.config.hidden_size, self.precision)
        self.n_steps = 0
        self._kept_weights: list[torch.Tensor] = []

    def run(self, report: Report) -> None:
        while not self.standing.stopped:
            self._epoch(len(self.standing.records))
            self.standing.stop(report)

    def score(self) -> Evaluation | None:
        """Put the kept weights back and return how they do on the scored split; None if the fit diverged."""
        if self.standing.stopped == "diverged":
            return None
        for parameter, kept in zip(self.pace.parameters(), self._kept_weights, strict=False):
            parameter.data.copy_(kept)
        if self.texts.scored is self.texts.validation and self.standing.kept:
            return self.standing.kept
        return self._evaluate(self.texts.scored)

    def _epoch(self, epoch: int) -> None:
        started = time.time()
        train_loss = self._train(epoch)
        said = self._evaluate(self.texts.validation) if math.isfinite(train_loss) else None
        counts = self.standing.take(started, train_loss, said)
        if counts and self.recipe.keep == "best":
            self._kept_weights = [parameter.detach().clone() for parameter in self.pace.parameters()]

    def _train(self, epoch: int) -> float:
        """Take the steps of an epoch. Returns the mean training loss, read from the device once."""
        self.prefixes.open(self.pace.start_epoch(epoch))
        self.model.train()
        if self.recipe.frozen_dropout == "off":
            self.prefixes.hush(self.model)
        texts = self.texts.train
        total = torch.zeros((), device=texts.labels.device)
        for rows in shuffled_batches(len(texts), self.recipe.batch, self.seed, epoch):
            total += self._gradients(rows) * len(rows)
            self.pace.step(self.n_steps)
            self.n_steps += 1
        return total.item() / len(texts)

    def _gradients(self, rows: list[int]) -> torch.Tensor:
        """Add up the gradients of the mean loss over these rows, micro-batch by micro-batch. Returns that loss."""
        texts, size = self.texts.train, self.recipe.micro_batch or len(rows)
        prefix = self.prefixes.of(texts) if self.recipe.frozen_dropout == "off" else None
        device = texts.labels.device
        total = torch.zeros((), device=device)
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            with arithmetic(device, self.precision):
                logits = self.forward(texts.table, some, prefix)  # (rows, classes)
            loss = F.cross_entropy(logits.float(), texts.labels[some], reduction="sum") / len(rows)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _evaluate(self, split: Labelled) -> Evaluation:
        self.model.eval()
        batch = self.recipe.micro_batch or EVALUATION_BATCH
        return evaluate(self.forward, split, self.precision, batch=batch, prefix=self.prefixes.of(split))
