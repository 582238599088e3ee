"""Forward: the protocol of forward passes, and the choice between the packed and the padded one."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch

from finetune_alf.encoder.text_heads import Head
from finetune_alf.recipe import Pooling
from finetune_alf.train.forward.agreement import is_packed
from finetune_alf.train.forward.packed import FrozenFeatures, PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.forward.table import TokenTable

Inputs = Any
"""A batch as a forward pass has prepared it: a PackedBatch, or the padded inputs of transformers."""


class Forward(Protocol):
    """A model's forward pass over rows of a split, in training or evaluation mode as the model is.

    Those with the same `layout` can take each other's inputs.
    """

    @property
    def layout(self) -> str:
        """How batches are prepared."""
        ...

    def prepare(self, table: TokenTable, batches: Sequence[Sequence[int]]) -> Sequence[Inputs]:
        """Return the inputs of batches of rows on the table's device, without waiting for its work."""
        ...

    def logits(self, table: TokenTable, inputs: Inputs, features: FrozenFeatures | None = None) -> torch.Tensor:
        """Return the logits of a prepared batch, (rows, classes); start from the split's frozen features if given."""
        ...

    def __call__(self, table: TokenTable, rows: Sequence[int], features: FrozenFeatures | None = None) -> torch.Tensor:
        """Return the logits of these texts, (rows, classes): prepare one batch and compute it."""
        ...

    def last_hidden_state(self, table: TokenTable) -> torch.Tensor:
        """Return the top layer's output for every token of a table, (T, H), all texts in one batch."""
        ...

    def frozen_features(self, table: TokenTable, level: int, batches: Sequence[Sequence[int]]) -> FrozenFeatures | None:
        """Return the output of embeddings and layers below `level` for a split, without dropout, or None."""
        ...

    def restrict_vocabulary(self, tables: Iterable[TokenTable]) -> AbstractContextManager[None]:
        """Restrict the word embeddings to the words of these splits inside a `with` block, where that is possible."""
        ...


def forward_of(
    model: Any, seed: int, name: str | None = None, pooling: Pooling = "first", head: Head | None = None
) -> Forward:
    """Return the packed forward pass where it computes what transformers does, else the padded one of transformers.

    The seed is for the dropout of the packed one; the padded one uses torch's global generator. `name` is the encoder's
    in warnings. A `head` takes the place of the model's own. Raises EncoderError where the model's head cannot read
    that pooling.
    """
    return PackedForward(model, seed, pooling, head) if is_packed(model, name) else PaddedForward(model, pooling, head)
