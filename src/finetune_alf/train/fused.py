"""Several fits in lockstep: one batched forward and backward pass a step, for members that differ in rates alone.

Members share the first weights, the batches and the dropout noise, all of which depend on the seed alone. Each stops on
its own, and leaves. Exactness: the same mathematics as each member's own fit, in another rounding order.
"""

import time
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from finetune_alf.encoder.load import Encoder
from finetune_alf.rates import Address, LayerRates
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import Labelled, shuffled_batches
from finetune_alf.train.evaluate import EVALUATION_BATCH, Evaluation, evaluate_together, losses_of
from finetune_alf.train.fit import THE_TASK, FitTexts, count_trainable_parameters, cut_words
from finetune_alf.train.forward.families import FAMILIES
from finetune_alf.train.forward.members import MembersForward, Weights
from finetune_alf.train.precision import Precision, arithmetic, resolve_precision
from finetune_alf.train.prefixes import Prefixes
from finetune_alf.train.result import EpochMetrics, FitResult
from finetune_alf.train.stacked_pace import StackedPace
from finetune_alf.train.standing import Facts, Standing

MemberReport = Callable[[int, EpochMetrics], bool]
"""Takes a member's number and its epoch's record; answers False to stop that member."""


@dataclass
class _Member:
    """One fit: its number, and how it stands."""

    number: int
    n_trainable_parameters: int
    standing: Standing
    best: Weights | None = None  # where the best epoch's weights will be scored on another split


def fit_together(
    encoder: Encoder,
    texts: FitTexts,
    recipes: Sequence[Recipe],
    seed: int,
    *,
    report: MemberReport = lambda number, record: True,
) -> Generator[tuple[int, FitResult]]:
    """Fine-tune an encoder by several recipes, rates apart the same; yield the number and result of each as it ends.

    Only for packed families, and one task. Each result is that of `fit` with the same seed, but for the order in which
    sums are rounded; its seconds are those that passed, shared with the other members. The encoder holds its first
    weights afterwards. Let nothing else draw from torch's global generator between two results: a head's dropout does.
    """
    started = time.time()
    encoder.reset(child_seed(seed, "head"))
    torch.manual_seed(child_seed(seed, "dropout"))
    rates = [recipe.rates.at(encoder.n_layers) for recipe in recipes]
    members = [
        _Member(
            number, count_trainable_parameters(encoder, own, recipes[0]), Standing(recipes[0], {THE_TASK: texts.metric})
        )
        for number, own in enumerate(rates)
    ]
    forward = MembersForward(encoder.model, child_seed(seed, "dropout"))
    with cut_words(forward, [texts], recipes[0], _highest(rates)):
        loop = _Lockstep(encoder, forward, texts, recipes[0], seed, members, rates)
        for member, scored in loop.run(report):
            facts = Facts(
                started, loop.n_steps, member.n_trainable_parameters, texts.train.labels.device, loop.precision
            )
            yield member.number, member.standing.result({THE_TASK: scored} if scored else None, facts)


def likeness(encoder: Encoder, recipe: Recipe) -> Hashable | None:
    """Return what recipes must have in common for `fit_together`; None where it cannot do this one at all.

    With `frozen_dropout: off`, dropout leaves out what is below the lowest open address: that must be the same too.
    """
    rates = recipe.rates.at(encoder.n_layers)
    is_packed = encoder.model.config.model_type in FAMILIES
    if not is_packed or rates.n_layers != encoder.n_layers or recipe.adapter or recipe.tasks:
        return None
    lowest = [_lowest_open(recipe, rates, epoch) for epoch in range(recipe.epochs)]
    if lowest[0] is None:
        return None
    return recipe.model_dump_json(exclude={"rates"}), tuple(lowest) if recipe.frozen_dropout == "off" else None


def _lowest_open(recipe: Recipe, rates: LayerRates, epoch: int) -> Address | None:
    unfrozen = (a for a, rate in rates.items() if rate > 0 and recipe.unfreezing.is_unfrozen(a, epoch, rates.n_layers))
    return next(unfrozen, None)


class _Lockstep:
    """The state of several fits between two epochs."""

    def __init__(
        self,
        encoder: Encoder,
        forward: MembersForward,
        texts: FitTexts,
        recipe: Recipe,
        seed: int,
        members: list[_Member],
        rates: Sequence[LayerRates],
    ) -> None:
        self.model, self.forward, self.texts, self.recipe, self.seed = encoder.model, forward, texts, recipe, seed
        self.members = members
        n_steps = recipe.epochs * -(-len(texts.train) // recipe.batch)
        self.pace = StackedPace(self.model, encoder.anatomy, recipe, rates, n_steps)
        self.precision: Precision = resolve_precision(recipe.precision, texts.train.labels.device)
        self.prefixes = Prefixes(forward, encoder.anatomy, encoder.model.config.hidden_size, self.precision)
        self.n_steps = 0

    def run(self, report: MemberReport) -> Generator[tuple[_Member, Evaluation | None]]:
        """Yield each member once it has stopped, with how its weights do on the scored split unless it diverged."""
        epoch = 0
        while self.members:
            self._epoch(epoch)
            for member in self.members:
                member.standing.stop(partial(report, member.number))
            ended = [(place, member) for place, member in enumerate(self.members) if member.standing.stopped]
            scores = [self._score(place, member) for place, member in ended]
            self._leave([place for place, _ in ended])
            yield from zip([member for _, member in ended], scores, strict=True)
            epoch += 1

    def _leave(self, ended: list[int]) -> None:
        """Go on without the members at these places."""
        places = [place for place in range(len(self.members)) if place not in ended]
        self.members = [self.members[place] for place in places]
        if ended and places:
            self.pace.keep(places)

    def _epoch(self, epoch: int) -> None:
        started = time.time()
        losses = self._train(epoch)
        heard = self._evaluate(self.pace.weights(), self.texts.validation)
        for place, member in enumerate(self.members):
            counts = member.standing.take(started, losses[place], {THE_TASK: heard[place]})
            if counts and self.recipe.keep == "best" and self.texts.scored is not self.texts.validation:
                member.best = {name: tensor.clone() for name, tensor in self.pace.weights_of(place).items()}

    def _score(self, place: int, member: _Member) -> Evaluation | None:
        if member.standing.stopped == "diverged":
            return None
        if self.texts.scored is self.texts.validation and member.standing.kept:
            return member.standing.kept[THE_TASK]
        return self._evaluate(member.best or self.pace.weights_of(place), self.texts.scored)[0]

    def _train(self, epoch: int) -> list[float]:
        """Take the steps of an epoch. Returns each member's mean training loss, read from the device once."""
        self.prefixes.open(self.pace.start_epoch(epoch))
        self.model.train()
        if self.recipe.frozen_dropout == "off":
            self.prefixes.hush(self.model)
        texts = self.texts.train
        total = torch.zeros(len(self.members), device=texts.labels.device)
        for rows in shuffled_batches(len(texts), self.recipe.batch, self.seed, epoch):
            total += self._gradients(rows) * len(rows)
            self.pace.step(self.n_steps)
            self.n_steps += 1
        losses: list[float] = (total / len(texts)).tolist()
        return losses

    def _gradients(self, rows: list[int]) -> torch.Tensor:
        """Add up all members' gradients of the mean loss over these rows. Returns each member's loss, (K,)."""
        texts, size = self.texts.train, self.recipe.micro_batch or len(rows)
        prefix = self.prefixes.of(texts) if self.recipe.frozen_dropout == "off" else None
        total = torch.zeros(len(self.members), device=texts.labels.device)
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            with arithmetic(texts.labels.device, self.precision):
                logits = self.forward.together(self.pace.weights(), texts.table, texts.places(some), prefix)
            losses = losses_of(logits, texts.labels[some], texts.objective).sum(1) / len(rows)
            losses.sum().backward()  # type: ignore[no-untyped-call]
            total += losses.detach()
        return total

    def _evaluate(self, weights: Weights, split: Labelled) -> list[Evaluation]:
        self.model.eval()
        batch = self.recipe.micro_batch or EVALUATION_BATCH
        return evaluate_together(
            self.forward, weights, split, self.precision, batch=batch, prefix=self.prefixes.of(split)
        )


def _highest(rates: Sequence[LayerRates]) -> LayerRates:
    return LayerRates({address: max(own[address] for own in rates) for address in rates[0]})
