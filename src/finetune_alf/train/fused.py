"""Fused fits: one batched forward and backward pass a step for several members, which differ in rates only.

Members share the initial weights, the batches and the dropout masks, which depend on the seed only. Each member stops
on its own. Exactness: the same mathematics as each member's own fit, in another rounding order.
"""

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from finetune_alf.clock import Stopwatch
from finetune_alf.compute import Precision
from finetune_alf.compute.autocast import autocast
from finetune_alf.encoder.load import Encoder
from finetune_alf.encoder.movement import movement, weights_at_start
from finetune_alf.rates import Address, LayerRates
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.evaluate import EVALUATION_BATCH, Evaluation, evaluate_fused, member_losses
from finetune_alf.train.fit import count_trainable_parameters, restrict_vocabulary
from finetune_alf.train.forward.agreement import is_packed
from finetune_alf.train.forward.fused import FusedForward, Weights
from finetune_alf.train.frozen_features import FrozenFeaturesCache
from finetune_alf.train.parts import SINGLE_TASK, TaskSplits
from finetune_alf.train.prepared import PreparedBatch, prepared_steps
from finetune_alf.train.result import EpochMetrics, FitResult
from finetune_alf.train.stacked_optimizer import StackedOptimizer
from finetune_alf.train.steps import n_steps_per_epoch, steps_of_epoch
from finetune_alf.train.training_state import FitSummary, TrainingState

ReportMemberEpoch = Callable[[int, EpochMetrics], bool]
"""Takes a member's number and its epoch's metrics; returns False to stop that member."""


@dataclass
class _Member:
    """One fit of the group; `best` are the kept weights, where they will be scored on another split."""

    number: int
    n_trainable_parameters: int
    state: TrainingState
    best: Weights | None = None
    movement: Mapping[Address, float] = field(default_factory=dict)


def fit_fused(
    encoder: Encoder,
    splits: TaskSplits,
    recipes: Sequence[Recipe],
    seed: int,
    *,
    precision: Precision = "fp32",
    micro_batch: int | None = None,
    report: ReportMemberEpoch = lambda number, metrics: True,
) -> Generator[tuple[int, FitResult]]:
    """Fine-tune an encoder by several recipes that differ in rates only; yield each number and result as it ends.

    Only for encoders with a packed forward pass, and one task. Each result equals that of `fit` with the same seed,
    except for rounding; its seconds are wall time, shared with the other members. The encoder holds its initial weights
    afterwards. Nothing else may draw from torch's global generator between two results: the dropout of a head does.
    """
    stopwatch, shared = Stopwatch(), recipes[0]
    encoder = encoder.with_pooler(shared.pooler)
    encoder.reset(child_seed(seed, "head"))
    torch.manual_seed(child_seed(seed, "dropout"))
    rates = [encoder.anatomy.rates(recipe.rates.at(encoder.n_layers)) for recipe in recipes]
    members = [
        _Member(
            number,
            count_trainable_parameters(encoder, own_rates, shared),
            TrainingState(shared, {SINGLE_TASK: splits.metric}),
        )
        for number, own_rates in enumerate(rates)
    ]
    forward = FusedForward(encoder.model, child_seed(seed, "dropout"), shared.pooling)
    with restrict_vocabulary(forward, [splits], shared, _highest(rates)):
        loop = _FusedTrainingLoop(encoder, forward, splits, shared, seed, members, rates, precision, micro_batch)
        for member, scored in loop.run(report):
            summary = FitSummary(stopwatch, loop.n_steps, member.n_trainable_parameters, member.movement)
            yield member.number, member.state.result({SINGLE_TASK: scored} if scored else None, summary)


def fusion_key(encoder: Encoder, recipe: Recipe) -> Hashable | None:
    """Return the key that recipes must share for `fit_fused`; None for a recipe that cannot be fused.

    With `frozen_dropout: off`, no dropout applies below the lowest trainable address, which must then be the same too.
    """
    rates = recipe.rates.at(encoder.n_layers)
    if rates.n_layers != encoder.n_layers or recipe.adapter or recipe.tasks or recipe.objective:
        return None
    if not is_packed(encoder.model, encoder.identity):
        return None
    lowest = [_lowest_trainable(recipe, rates, epoch) for epoch in range(recipe.epochs)]
    if lowest[0] is None:
        return None
    return recipe.model_dump_json(exclude={"rates"}), tuple(lowest) if recipe.frozen_dropout == "off" else None


def _lowest_trainable(recipe: Recipe, rates: LayerRates, epoch: int) -> Address | None:
    trainable = (a for a, rate in rates.items() if rate > 0 and recipe.unfreezing.is_unfrozen(a, epoch, rates.n_layers))
    return next(trainable, None)


class _FusedTrainingLoop:
    """The epochs and steps of several fits."""

    def __init__(
        self,
        encoder: Encoder,
        forward: FusedForward,
        splits: TaskSplits,
        recipe: Recipe,
        seed: int,
        members: list[_Member],
        rates: Sequence[Mapping[Address, float]],
        precision: Precision,
        micro_batch: int | None,
    ) -> None:
        self.model, self.forward, self.splits, self.recipe, self.seed = encoder.model, forward, splits, recipe, seed
        self.members, self.precision, self.micro_batch = members, precision, micro_batch
        self.orders = {SINGLE_TASK: splits.train.order}
        n_steps = recipe.epochs * n_steps_per_epoch(recipe, {SINGLE_TASK: len(splits.train)})
        self.optimizer = StackedOptimizer(self.model, encoder.anatomy, recipe, rates, n_steps)
        hidden_size = encoder.model.config.hidden_size
        self.features = FrozenFeaturesCache(forward, encoder.anatomy, hidden_size, self.precision)
        self.start, self.addresses = weights_at_start(encoder, _highest(rates)), encoder.anatomy.addresses
        self.n_steps = 0

    def run(self, report: ReportMemberEpoch) -> Generator[tuple[_Member, Evaluation | None]]:
        """Yield each member once it has stopped, with its evaluation on the scored split; None if it diverged."""
        epoch = 0
        while self.members:
            self._epoch(epoch)
            for member in self.members:
                member.state.report_epoch(partial(report, member.number))
            stopped = [(index, member) for index, member in enumerate(self.members) if member.state.stopped]
            for index, member in stopped:
                end = {name: own[0] for name, own in self.optimizer.weights_of(index).items()}
                member.movement = movement(self.addresses, self.start, end)
            evaluations = [self._score(index, member) for index, member in stopped]
            self._remove([index for index, _ in stopped])
            yield from zip([member for _, member in stopped], evaluations, strict=True)
            epoch += 1

    def _remove(self, stopped: list[int]) -> None:
        """Continue without the members at these indices."""
        remaining = [index for index in range(len(self.members)) if index not in stopped]
        self.members = [self.members[index] for index in remaining]
        if stopped and remaining:
            self.optimizer.select(remaining)

    def _epoch(self, epoch: int) -> None:
        stopwatch = Stopwatch()
        losses = self._train(epoch)
        evaluations = self._evaluate(self.optimizer.weights(), self.splits.validation)
        for index, member in enumerate(self.members):
            is_kept = member.state.add_epoch(stopwatch, losses[index], {SINGLE_TASK: evaluations[index]})
            if is_kept and self.recipe.keep == "best" and self.splits.scored is not self.splits.validation:
                member.best = {name: tensor.clone() for name, tensor in self.optimizer.weights_of(index).items()}

    def _score(self, index: int, member: _Member) -> Evaluation | None:
        if member.state.stopped == "diverged":
            return None
        if self.splits.scored is self.splits.validation and member.state.kept:
            return member.state.kept[SINGLE_TASK]
        return self._evaluate(member.best or self.optimizer.weights_of(index), self.splits.scored)[0]

    def _train(self, epoch: int) -> list[float]:
        """Take the steps of an epoch. Returns each member's mean training loss, read from the device once."""
        self.features.set_trainable(self.optimizer.start_epoch(epoch))
        self.model.train()
        if self.recipe.frozen_dropout == "off":
            self.features.disable_dropout(self.model)
        split = self.splits.train
        total, weight = torch.zeros(len(self.members), device=split.labels.device), 0.0
        steps = steps_of_epoch(self.recipe, self.orders, self.seed, epoch)
        tasks, forwards = {SINGLE_TASK: self.splits}, {SINGLE_TASK: self.forward}
        for (batch,) in prepared_steps(steps, tasks, forwards, self.micro_batch):
            total += self._accumulate_gradients(batch) * batch.weight
            weight += batch.weight
            self.optimizer.step(self.n_steps)
            self.n_steps += 1
        losses: list[float] = (total / weight).tolist()
        return losses

    def _accumulate_gradients(self, batch: PreparedBatch) -> torch.Tensor:
        """Add all members' gradients of the mean loss over a batch. Returns each member's loss, (K,)."""
        split = self.splits.train
        features = self.features.of(split) if self.recipe.frozen_dropout == "off" else None
        total = torch.zeros(len(self.members), device=split.labels.device)
        for chunk in batch.chunks:
            with autocast(split.labels.device, self.precision):
                logits = self.forward.fused(self.optimizer.weights(), split.table, chunk.inputs, features)
            losses = member_losses(logits, chunk.labels, split.objective).sum(1) / batch.weight
            losses.sum().backward()  # type: ignore[no-untyped-call]
            total += losses.detach()
        return total

    def _evaluate(self, weights: Weights, split: TokenizedSplit) -> list[Evaluation]:
        self.model.eval()
        batch = self.micro_batch or EVALUATION_BATCH
        features = self.features.of(split)
        return evaluate_fused(self.forward, weights, split, self.precision, batch=batch, features=features)


def _highest(rates: Sequence[Mapping[Address, float]]) -> dict[Address, float]:
    return {address: max(own[address] for own in rates) for address in rates[0]}
