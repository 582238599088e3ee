"""What frozen layers make of a split, computed once a fit instead of once an epoch.

Exact for evaluation, which has no dropout, and within one epoch's opening: a prefix is dropped when the lowest open
address moves. A prefix larger than PREFIX_BYTES is not kept.
"""

import torch

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.errors import RatesError
from finetune_alf.rates import EMBEDDINGS, Address, rate_source
from finetune_alf.train.batches import Labelled, batches_by_length
from finetune_alf.train.evaluate import EVALUATION_BATCH
from finetune_alf.train.forward.packed import Prefix
from finetune_alf.train.forward.protocol import Forward
from finetune_alf.train.precision import Precision, arithmetic

PREFIX_BYTES = 1 << 30
"""The largest prefix that is kept: 1 GiB, 700,000 tokens of a hidden size of 384 in fp32."""


class Prefixes:
    """The prefixes of one fit's splits."""

    def __init__(self, forward: Forward, anatomy: Anatomy, hidden_size: int, precision: Precision) -> None:
        self._forward, self._anatomy, self._hidden_size, self._precision = forward, anatomy, hidden_size, precision
        self._level: int | None = None
        self._kept: dict[int, Prefix | None] = {}

    def open(self, addresses: set[Address]) -> None:
        """Take note of which addresses are open; what was kept under another lowest one is dropped."""
        level = self._frozen_below(addresses)
        if level != self._level:
            self._level, self._kept = level, {}

    def of(self, split: Labelled) -> Prefix | None:
        """Return a split's prefix; None where nothing below is frozen, or it would be too large."""
        if self._level is None:
            return None
        if id(split) not in self._kept:
            self._kept[id(split)] = self._compute(split, self._level)
        return self._kept[id(split)]

    def hush(self, model: torch.nn.Module) -> None:
        """Set what no gradient reaches to evaluation: dropout stays out of it whether a prefix is kept or not."""
        level = -1 if self._level is None else self._level
        below = [address for address in self._anatomy.addresses if self._height(address) <= level]
        frozen = {name for address in below for name in self._anatomy.parameters[address]}
        for path, module in model.named_modules():
            names = {f"{path}.{name}" for name, _ in module.named_parameters()}
            if names and names <= frozen:
                module.eval()  # dropout inside it, which has no parameters, too

    def _frozen_below(self, addresses: set[Address]) -> int | None:
        """Return below which layer no gradient reaches, embeddings included; None if the embeddings are open."""
        lowest = min(map(self._height, addresses), default=None)
        if lowest is None:
            raise RatesError(
                "rates: must be above 0 at an address unfrozen in the first epoch, but got 0 at all of them. "
                "Let the head learn, or set `unfreezing: {kind: immediate}`."
            )
        return lowest - 1 if lowest else None

    def _height(self, address: Address) -> int:
        """Return 0 for the embeddings, 1 for layer 0 and what adapts it, and so on up to the heads."""
        original = rate_source(address)
        if original == EMBEDDINGS:
            return 0
        return int(original.removeprefix("layer.")) + 1 if original.startswith("layer.") else self._anatomy.n_layers + 1

    def _compute(self, split: Labelled, level: int) -> Prefix | None:
        n_rows = len(split.table) if level == self._anatomy.n_layers else len(split.table.ids)
        if 4 * n_rows * self._hidden_size > PREFIX_BYTES:
            return None
        with arithmetic(split.labels.device, self._precision):
            return self._forward.prefix(split.table, level, batches_by_length(split.table.lengths, EVALUATION_BATCH))
