"""The texts of a step with something hidden, in few shapes.

The libraries behind matrix products keep code and memory for every shape that they meet, and the decoder's are large:
with a number of its own in every batch an adaptation would fill the memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.experiments.adapt.masking import MaskLaw, mask
from finetune_alf.experiments.adapt.pieces import Pieces

TOLD_TOGETHER = 128
"""So many hidden tokens go through the decoder at once: enough for a product, so few that little is filled up."""

NOT_TOLD = -100
"""Stands for the truth at a place that fills up: cross-entropy passes over it."""


@dataclass(frozen=True)
class Batch:
    """Texts with something hidden, (B, L), where it is in the flattened batch, and what it was.

    Places come in multiples of TOLD_TOGETHER; the last of them fill up and have the truth NOT_TOLD.
    """

    ids: torch.Tensor  # (B, L) int64
    is_token: torch.Tensor  # (B, L) bool: the rest is padding
    places: torch.Tensor  # (n,) int64, in 0 … B * L - 1
    truth: torch.Tensor  # (n,) int64
    n_hidden: int


def hidden(pieces: Pieces, rows: Sequence[int], law: MaskLaw, pad_token_id: int, seed: int) -> Batch:
    """Return pieces as a batch, hidden by the law as the seed has it."""
    ids, words, is_token = pieces.padded(rows, pad_token_id)
    masked = mask(ids, words, law, torch.Generator().manual_seed(seed))
    n_hidden = len(masked.places)
    n_fill = max(-(-n_hidden // TOLD_TOGETHER), 1) * TOLD_TOGETHER - n_hidden
    places, truth = F.pad(masked.places, (0, n_fill)), F.pad(masked.truth, (0, n_fill), value=NOT_TOLD)
    return Batch(masked.ids, is_token, places, truth, n_hidden)
