"""A batch of masked texts, in few shapes.

The libraries behind matrix products keep code and memory for each shape that they meet, and the decoder's are large: if
each batch had its own number of masked tokens, an adaptation would fill the memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.experiments.adapt.masking import MaskingRule, mask_tokens
from finetune_alf.experiments.adapt.pieces import Pieces

DECODER_CHUNK = 128
"""Masked tokens that go through the decoder at once: enough for a fast product, and few are padding."""

IGNORE_INDEX = -100
"""The label of padding: cross-entropy ignores it."""


@dataclass(frozen=True)
class MaskedBatch:
    """Masked texts, (B, L), the positions of the masked tokens in the flattened batch, and their original ids.

    Positions are padded to a multiple of DECODER_CHUNK; the label of padding is IGNORE_INDEX.
    """

    input_ids: torch.Tensor  # (B, L) int64
    is_token: torch.Tensor  # (B, L) bool: not padding
    positions: torch.Tensor  # (n,) int64, in 0 … B * L - 1
    labels: torch.Tensor  # (n,) int64
    n_masked: int


def masked_batch(pieces: Pieces, rows: Sequence[int], rule: MaskingRule, pad_token_id: int, seed: int) -> MaskedBatch:
    """Return these pieces as a batch, masked with the seed."""
    input_ids, word_ids, is_token = pieces.padded(rows, pad_token_id)
    masked = mask_tokens(input_ids, word_ids, rule, torch.Generator().manual_seed(seed))
    n_masked = len(masked.positions)
    n_padding = max(-(-n_masked // DECODER_CHUNK), 1) * DECODER_CHUNK - n_masked
    positions = F.pad(masked.positions, (0, n_padding))
    labels = F.pad(masked.labels, (0, n_padding), value=IGNORE_INDEX)
    return MaskedBatch(masked.input_ids, is_token, positions, labels, n_masked)
