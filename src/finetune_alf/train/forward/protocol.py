"""Forward: what the loop asks of a forward pass, and which of the two it gets."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch

from finetune_alf.train.forward.families import FAMILIES
from finetune_alf.train.forward.packed import PackedForward, Prefix
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.forward.table import TokenTable


class Forward(Protocol):
    """A model's forward pass over rows of a split, in training or evaluation as the model is set."""

    def __call__(self, table: TokenTable, rows: Sequence[int], prefix: Prefix | None = None) -> torch.Tensor:
        """Return the logits of these texts, (rows, classes); from a prefix of their split where there is one."""
        ...

    def prefix(self, table: TokenTable, level: int, batches: Sequence[Sequence[int]]) -> Prefix | None:
        """Return what embeddings and the layers below `level` make of a split without dropout; None if it cannot."""
        ...

    def cut(self, tables: Iterable[TokenTable]) -> AbstractContextManager[None]:
        """Hold the embedding table to the words of these splits for the length of a block, where that can be done."""
        ...


def forward_of(model: Any, seed: int) -> Forward:
    """Return the packed forward pass where the family is known, else the padded one through transformers.

    The seed is that of the packed one's dropout; the padded one's is torch's global state.
    """
    return PackedForward(model, seed) if model.config.model_type in FAMILIES else PaddedForward(model)
