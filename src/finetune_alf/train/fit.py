"""The training loop: one fit of one recipe from the encoder's first weights, at one task or at several."""

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch

from finetune_alf.encoder.load import Encoder
from finetune_alf.rates import EMBEDDINGS, Address, rate_source
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import Labelled
from finetune_alf.train.evaluate import EVALUATION_BATCH, Evaluation, evaluate
from finetune_alf.train.forward.protocol import Forward, forward_of
from finetune_alf.train.forward.tasks import forwards_of
from finetune_alf.train.lr import Pace
from finetune_alf.train.precision import Precision, arithmetic, resolve_precision
from finetune_alf.train.prefixes import Prefixes
from finetune_alf.train.result import EpochMetrics, FitResult
from finetune_alf.train.standing import Facts, Said, Standing
from finetune_alf.train.stream import n_steps_per_epoch, steps_of_epoch

Report = Callable[[EpochMetrics], bool]
"""Takes an epoch's record; answers False to stop the fit."""


THE_TASK = "task"
"""What the one task of a plain fit is called where a fit may have several."""


@dataclass(frozen=True)
class FitTexts:
    """One task: what a fit learns from, what it is watched on, and what it is scored on (often the same as watched).

    `metric` is its score; `weight` what its loss counts for where a step learns from several tasks.
    """

    train: Labelled
    validation: Labelled
    scored: Labelled
    metric: str = "accuracy"
    weight: float = 1.0

    @property
    def splits(self) -> tuple[Labelled, Labelled, Labelled]:
        """All splits."""
        return self.train, self.validation, self.scored


def fit(
    encoder: Encoder,
    tasks: FitTexts | Mapping[str, FitTexts],
    recipe: Recipe,
    seed: int,
    *,
    report: Report = lambda record: True,
) -> FitResult:
    """Fine-tune an encoder, which afterwards holds the weights that were scored.

    The seed decides the head's first weights, the order of the texts and dropout. A loss that is not a number
    ends the fit as diverged. Raises RatesError when the recipe's rates do not fit the encoder, and EncoderError when
    its adapter is not the encoder's.
    """
    started = time.time()
    tasks = {THE_TASK: tasks} if isinstance(tasks, FitTexts) else tasks
    encoder.check_adapter(recipe.adapter)
    encoder.reset(child_seed(seed, "head"))
    torch.manual_seed(child_seed(seed, "dropout"))  # the only global seeding: dropout takes no generator
    rates = encoder.anatomy.rates(recipe.rates.at(encoder.n_layers))
    n_trainable_parameters = count_trainable_parameters(encoder, rates, recipe)
    forward = forward_of(encoder.model, child_seed(seed, "dropout"))
    with cut_words(forward, tasks.values(), recipe, rates):
        loop = _Loop(encoder, forward, tasks, recipe, seed)
        loop.run(report)
        scored = loop.score()
    facts = Facts(started, loop.n_steps, n_trainable_parameters, loop.device, loop.precision)
    return loop.standing.result(scored, facts)


def count_trainable_parameters(encoder: Encoder, rates: Mapping[Address, float], recipe: Recipe) -> int:
    """Return how many weights have a rate above 0 and are open in the last epoch: a unfreezing may not get to all."""
    unfreezing, last = recipe.unfreezing, recipe.epochs - 1
    opened = (
        a for a, rate in rates.items() if rate > 0 and unfreezing.is_unfrozen(rate_source(a), last, encoder.n_layers)
    )
    return sum(encoder.model.get_parameter(name).numel() for a in opened for name in encoder.anatomy.parameters[a])


def cut_words(
    forward: Forward, tasks: Iterable[FitTexts], recipe: Recipe, rates: Mapping[Address, float]
) -> contextlib.AbstractContextManager[None]:
    """Hold open embeddings to the words that occur, where that changes nothing."""
    if rates[EMBEDDINGS] == 0 or recipe.optimizer.weight_decay > 0:
        return contextlib.nullcontext()
    return forward.cut([split.table for texts in tasks for split in texts.splits])


class _Loop:
    """The state of one fit between its epochs."""

    def __init__(
        self, encoder: Encoder, forward: Forward, tasks: Mapping[str, FitTexts], recipe: Recipe, seed: int
    ) -> None:
        self.model, self.tasks, self.recipe, self.seed = encoder.model, tasks, recipe, seed
        self.forwards = forwards_of(forward, self.model, tasks)
        self.standing = Standing(recipe, {name: texts.metric for name, texts in tasks.items()})
        self.n_texts = {name: len(texts.train) for name, texts in tasks.items()}
        n_steps = recipe.epochs * n_steps_per_epoch(recipe, self.n_texts)
        self.pace = Pace(self.model, encoder.anatomy, recipe, n_steps)
        self.device = next(self.model.parameters()).device
        self.precision: Precision = resolve_precision(recipe.precision, self.device)
        self.prefixes = Prefixes(forward, encoder.anatomy, encoder.model.config.hidden_size, self.precision)
        self.n_steps = 0
        self._kept_weights: list[torch.Tensor] = []

    def run(self, report: Report) -> None:
        while not self.standing.stopped:
            self._epoch(len(self.standing.records))
            self.standing.stop(report)

    def score(self) -> Said | None:
        """Put the kept weights back and return how they do on the scored splits; None if the fit diverged."""
        if self.standing.stopped == "diverged":
            return None
        for parameter, kept in zip(self.pace.parameters(), self._kept_weights, strict=False):
            parameter.data.copy_(kept)
        if self.standing.kept and all(texts.scored is texts.validation for texts in self.tasks.values()):
            return self.standing.kept
        return {name: self._evaluate(name, texts.scored) for name, texts in self.tasks.items()}

    def _epoch(self, epoch: int) -> None:
        started = time.time()
        train_loss = self._train(epoch)
        said = None
        if math.isfinite(train_loss):
            said = {name: self._evaluate(name, texts.validation) for name, texts in self.tasks.items()}
        counts = self.standing.take(started, train_loss, said)
        if counts and self.recipe.keep == "best":
            self._kept_weights = [parameter.detach().clone() for parameter in self.pace.parameters()]

    def _train(self, epoch: int) -> float:
        """Take the steps of an epoch. Returns the mean training loss, read from the device once."""
        self.prefixes.open(self.pace.start_epoch(epoch))
        self.model.train()
        if self.recipe.frozen_dropout == "off":
            self.prefixes.hush(self.model)
        total, n_seen = torch.zeros((), device=self.device), 0
        for step in steps_of_epoch(self.recipe, self.n_texts, self.seed, epoch):
            for task, rows in step:
                total += self._gradients(task, rows) * len(rows)
                n_seen += len(rows)
            self.pace.step(self.n_steps)
            self.n_steps += 1
        return total.item() / n_seen

    def _gradients(self, task: str, rows: list[int]) -> torch.Tensor:
        """Add up the gradients of the mean loss over these rows, micro-batch by micro-batch. Returns that loss."""
        texts, size = self.tasks[task].train, self.recipe.micro_batch or len(rows)
        prefix = self.prefixes.of(texts) if self.recipe.frozen_dropout == "off" else None
        total = torch.zeros((), device=self.device)
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            with arithmetic(self.device, self.precision):
                outputs = self.forwards[task](texts.table, texts.places(some), prefix)  # (rows, outputs)
            outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))  # fp64 stays what it is
            losses = texts.objective.losses(outputs, texts.labels[some])
            loss = losses.sum() / len(rows) * self.tasks[task].weight
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _evaluate(self, task: str, split: Labelled) -> Evaluation:
        self.model.eval()
        batch = self.recipe.micro_batch or EVALUATION_BATCH
        return evaluate(self.forwards[task], split, self.precision, batch=batch, prefix=self.prefixes.of(split))
