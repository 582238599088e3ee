"""The outputs of frozen layers for a split, computed once a fit instead of once an epoch.

Exact for evaluation, which has no dropout, and as long as the lowest trainable address stays the same; when it moves,
the features are computed again. Features larger than MAX_FEATURES_BYTES are not cached.
"""

import torch

from finetune_alf.compute import Precision
from finetune_alf.compute.autocast import autocast
from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.errors import RatesError
from finetune_alf.rates import EMBEDDINGS, Address, rate_source
from finetune_alf.train.batches import TokenizedSplit, batches_by_length
from finetune_alf.train.evaluate import EVALUATION_BATCH
from finetune_alf.train.forward.packed import FrozenFeatures
from finetune_alf.train.forward.protocol import Forward

MAX_FEATURES_BYTES = 1 << 30
"""The largest features that are cached: 1 GiB, 700,000 tokens of a hidden size of 384 in fp32."""


class FrozenFeaturesCache:
    """The frozen features of one fit's splits."""

    def __init__(self, forward: Forward, anatomy: Anatomy, hidden_size: int, precision: Precision) -> None:
        self._forward, self._anatomy, self._hidden_size, self._precision = forward, anatomy, hidden_size, precision
        self._level: int | None = None
        self._cached: dict[int, FrozenFeatures | None] = {}

    def set_trainable(self, addresses: set[Address]) -> None:
        """Set the trainable addresses; the cache is cleared when the lowest one has changed."""
        level = self._frozen_below(addresses)
        if level != self._level:
            self._level, self._cached = level, {}

    def of(self, split: TokenizedSplit) -> FrozenFeatures | None:
        """Return a split's features; None where no layer at the bottom is frozen, or they would be too large."""
        if self._level is None:
            return None
        key = id(split.table)  # pairs of texts are rows of another split of the same table
        if key not in self._cached:
            self._cached[key] = self._compute(split, self._level)
        return self._cached[key]

    def disable_dropout(self, model: torch.nn.Module) -> None:
        """Set the frozen layers at the bottom to evaluation mode, whether their features are cached or not."""
        level = -1 if self._level is None else self._level
        below = [address for address in self._anatomy.addresses if self._height(address) <= level]
        frozen = {name for address in below for name in self._anatomy.parameters[address]}
        for path, module in model.named_modules():
            names = {f"{path}.{name}" for name, _ in module.named_parameters()}
            if names and names <= frozen:
                module.eval()  # also the dropout inside it, which has no parameters

    def _frozen_below(self, addresses: set[Address]) -> int | None:
        """Return the lowest layer that a gradient reaches; None if the embeddings are trainable."""
        lowest = min(map(self._height, addresses), default=None)
        if lowest is None:
            raise RatesError(
                "rates: must be above 0 at an address unfrozen in the first epoch, but got 0 at all of them. "
                "Give the head a rate, or set `unfreezing: {kind: immediate}`."
            )
        return lowest - 1 if lowest else None

    def _height(self, address: Address) -> int:
        """Return 0 for the embeddings, 1 for layer 0 and its adapter, and so on up to the heads."""
        source = rate_source(address)
        if source == EMBEDDINGS:
            return 0
        return int(source.removeprefix("layer.")) + 1 if source.startswith("layer.") else self._anatomy.n_layers + 1

    def _compute(self, split: TokenizedSplit, level: int) -> FrozenFeatures | None:
        n_rows = len(split.table) if level == self._anatomy.n_layers else len(split.table.input_ids)
        if 4 * n_rows * self._hidden_size > MAX_FEATURES_BYTES:
            return None
        batches = batches_by_length(split.table.lengths, EVALUATION_BATCH)
        with autocast(split.labels.device, self._precision):
            return self._forward.frozen_features(split.table, level, batches)
