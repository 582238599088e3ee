"""The training loop: one fit of one recipe from the encoder's initial weights, at one task or several."""

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping

import torch

from finetune_alf.clock import Stopwatch
from finetune_alf.compute import Precision
from finetune_alf.compute.autocast import autocast
from finetune_alf.encoder.load import Encoder
from finetune_alf.encoder.movement import movement, weights_at_start
from finetune_alf.rates import EMBEDDINGS, Address, rate_source
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.contrastive import contrastive_parts
from finetune_alf.train.evaluate import EVALUATION_BATCH, Evaluation
from finetune_alf.train.forward.protocol import Forward, forward_of
from finetune_alf.train.forward.tasks import forwards_of
from finetune_alf.train.frozen_features import FrozenFeaturesCache
from finetune_alf.train.optimizer import LayerwiseOptimizer
from finetune_alf.train.parts import SINGLE_TASK, Parts, TaskSplits
from finetune_alf.train.prepared import PreparedBatch, prepared_steps
from finetune_alf.train.result import EpochMetrics, FitResult
from finetune_alf.train.steps import n_steps_per_epoch, steps_of_epoch
from finetune_alf.train.training_state import Evaluations, FitSummary, TrainingState

ReportEpoch = Callable[[EpochMetrics], bool]
"""Takes an epoch's metrics; returns False to stop the fit."""


def fit(
    encoder: Encoder,
    tasks: TaskSplits | Mapping[str, TaskSplits],
    recipe: Recipe,
    seed: int,
    *,
    precision: Precision = "fp32",
    micro_batch: int | None = None,
    report: ReportEpoch = lambda metrics: True,
) -> FitResult:
    """Fine-tune an encoder, which afterwards holds the weights that were scored.

    The seed determines the head's initial weights, the order of the texts and dropout. With `micro_batch` a step
    accumulates the gradients of batches of that many texts. A loss that is NaN or infinite ends the fit as diverged.
    Raises RatesError when the recipe's rates do not fit the encoder, and EncoderError when
    the encoder does not have the recipe's adapter.
    """
    stopwatch = Stopwatch()
    tasks = {SINGLE_TASK: tasks} if isinstance(tasks, TaskSplits) else tasks
    encoder.check_adapter(recipe.adapter)
    encoder = encoder.with_pooler(recipe.pooler)
    encoder.reset(child_seed(seed, "head"))
    torch.manual_seed(child_seed(seed, "dropout"))  # the only global seeding: torch's dropout takes no generator
    parts = Parts(tasks, encoder.anatomy.rates(recipe.rates.at(encoder.n_layers)))
    if recipe.objective is not None:
        parts = contrastive_parts(parts, recipe.objective, int(encoder.model.config.num_labels), seed)
    tasks, rates = parts.tasks, parts.rates
    n_trainable_parameters = count_trainable_parameters(encoder, rates, recipe)
    forward = forward_of(encoder.model, child_seed(seed, "dropout"), encoder.identity, recipe.pooling, parts.head)
    with restrict_vocabulary(forward, tasks.values(), recipe, rates):
        start = weights_at_start(encoder, rates)
        loop = _TrainingLoop(encoder, forward, parts, recipe, seed, precision, micro_batch)
        loop.run(report)
        moved = movement(rates, start, dict(encoder.model.named_parameters()))
        scored = loop.score()
    summary = FitSummary(stopwatch, loop.n_steps, n_trainable_parameters, moved)
    return loop.state.result(scored, summary)


def count_trainable_parameters(encoder: Encoder, rates: Mapping[Address, float], recipe: Recipe) -> int:
    """Count the weights with a rate above 0 that are unfrozen by the last epoch."""
    unfreezing, last_epoch = recipe.unfreezing, recipe.epochs - 1
    trainable = [
        address
        for address, rate in rates.items()
        if rate > 0 and unfreezing.is_unfrozen(rate_source(address), last_epoch, encoder.n_layers)
    ]
    names = (name for address in trainable for name in encoder.anatomy.parameters[address])
    return sum(encoder.model.get_parameter(name).numel() for name in names)


def restrict_vocabulary(
    forward: Forward, tasks: Iterable[TaskSplits], recipe: Recipe, rates: Mapping[Address, float]
) -> contextlib.AbstractContextManager[None]:
    """Restrict trainable word embeddings to the words that occur, unless weight decay changes the others too."""
    if rates[EMBEDDINGS] == 0 or recipe.optimizer.weight_decay > 0:
        return contextlib.nullcontext()
    return forward.restrict_vocabulary([split.table for task in tasks for split in task.all])


class _TrainingLoop:
    """The epochs and steps of one fit."""

    def __init__(
        self,
        encoder: Encoder,
        forward: Forward,
        parts: Parts,
        recipe: Recipe,
        seed: int,
        precision: Precision,
        micro_batch: int | None,
    ) -> None:
        self.model, self.tasks, self.recipe, self.seed = encoder.model, parts.tasks, recipe, seed
        self.precision, self.micro_batch, self.evaluate = precision, micro_batch, parts.evaluate
        self.forwards = forwards_of(forward, self.model, self.tasks)
        self.state = TrainingState(recipe, {name: task.metric for name, task in self.tasks.items()})
        self.orders = {name: task.train.order for name, task in self.tasks.items()}
        n_texts = {name: len(order) for name, order in self.orders.items()}
        n_steps = recipe.epochs * n_steps_per_epoch(recipe, n_texts)
        self.optimizer = LayerwiseOptimizer(self.model, encoder.anatomy, recipe, parts.rates, n_steps)
        self.device = next(self.model.parameters()).device
        hidden_size = encoder.model.config.hidden_size
        self.features = FrozenFeaturesCache(forward, encoder.anatomy, hidden_size, self.precision)
        self.n_steps = 0
        self._kept_weights: list[torch.Tensor] = []

    def run(self, report: ReportEpoch) -> None:
        while not self.state.stopped:
            self._epoch(len(self.state.epochs))
            self.state.report_epoch(report)

    def score(self) -> Evaluations | None:
        """Restore the kept weights and evaluate them on the scored splits; None if the fit diverged."""
        if self.state.stopped == "diverged":
            return None
        for parameter, kept in zip(self.optimizer.parameters(), self._kept_weights, strict=False):
            parameter.data.copy_(kept)
        if self.state.kept and all(task.scored is task.validation for task in self.tasks.values()):
            return self.state.kept
        return {name: self._evaluate(name, task.scored) for name, task in self.tasks.items()}

    def _epoch(self, epoch: int) -> None:
        stopwatch = Stopwatch()
        train_loss = self._train(epoch)
        evaluations = None
        if math.isfinite(train_loss):
            evaluations = {name: self._evaluate(name, task.validation) for name, task in self.tasks.items()}
        is_kept = self.state.add_epoch(stopwatch, train_loss, evaluations)
        if is_kept and self.recipe.keep == "best":
            self._kept_weights = [parameter.detach().clone() for parameter in self.optimizer.parameters()]

    def _train(self, epoch: int) -> float:
        """Take the steps of an epoch. Returns the mean training loss, read from the device once."""
        self.features.set_trainable(self.optimizer.start_epoch(epoch))
        self.model.train()
        if self.recipe.frozen_dropout == "off":
            self.features.disable_dropout(self.model)
        total, weight = torch.zeros((), device=self.device), 0.0
        steps = steps_of_epoch(self.recipe, self.orders, self.seed, epoch)
        for step in prepared_steps(steps, self.tasks, self.forwards, self.micro_batch):
            for batch in step:
                total += self._accumulate_gradients(batch) * batch.weight
                weight += batch.weight
            self.optimizer.step(self.n_steps)
            self.n_steps += 1
        return total.item() / weight

    def _accumulate_gradients(self, batch: PreparedBatch) -> torch.Tensor:
        """Add the gradients of the mean loss over a batch, one micro-batch at a time. Returns that loss."""
        task, forward = self.tasks[batch.task], self.forwards[batch.task]
        split = task.train
        features = self.features.of(split) if self.recipe.frozen_dropout == "off" else None
        total = torch.zeros((), device=self.device)
        for chunk in batch.chunks:
            with autocast(self.device, self.precision):
                outputs = forward.logits(split.table, chunk.inputs, features)  # (rows, outputs)
            outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))  # fp64 stays fp64
            losses = split.objective.losses(outputs, chunk.labels)
            loss = losses.sum() / batch.weight * task.weight
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _evaluate(self, task: str, split: TokenizedSplit) -> Evaluation:
        self.model.eval()
        batch = self.micro_batch or EVALUATION_BATCH
        return self.evaluate(self.forwards[task], split, self.precision, batch, self.features)
