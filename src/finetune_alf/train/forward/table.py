"""A split's tokens in one row on the device: forward passes gather their batches from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from finetune_alf.encoder.tokens import Tokens
from finetune_alf.train.forward.device_copy import to_device


@dataclass(frozen=True)
class TokenTable:
    """All texts of a split end to end. Text i is the `lengths[i]` tokens from `starts[i]` on."""

    input_ids: torch.Tensor  # (T,) int64
    token_type_ids: torch.Tensor | None  # (T,) int64
    lengths: torch.Tensor  # (n,) int64, on the CPU: batches are packed there
    starts: torch.Tensor  # (n,) int64, on the CPU
    pad_token_id: int

    @classmethod
    def of(cls, tokens: Tokens, device: torch.device) -> "TokenTable":
        """Put a split's tokens on a device."""
        lengths = torch.tensor([len(text) for text in tokens.input_ids])
        return cls(
            input_ids=_flatten(tokens.input_ids, device),
            token_type_ids=None if tokens.token_type_ids is None else _flatten(tokens.token_type_ids, device),
            lengths=lengths,
            starts=lengths.cumsum(0) - lengths,
            pad_token_id=tokens.pad_token_id,
        )

    def select(self, rows: Sequence[int]) -> "TokenTable":
        """Return the table of these texts alone, in this order."""
        lengths = self.lengths[rows]
        starts = lengths.cumsum(0) - lengths
        offsets = (self.starts[rows] - starts).repeat_interleave(lengths)
        index = (torch.arange(len(offsets)) + offsets).to(self.device)
        types = None if self.token_type_ids is None else self.token_type_ids[index]
        return TokenTable(self.input_ids[index], types, lengths, starts, self.pad_token_id)

    @property
    def device(self) -> torch.device:
        """The device of the tokens."""
        return self.input_ids.device

    @cached_property
    def non_padding_positions(self) -> torch.Tensor:
        """Positions from 1 in each text, (T,); padding ids inside a text are 0 and are not counted (RoBERTa)."""
        is_counted = (self.input_ids != self.pad_token_id).long()
        cumulative = is_counted.cumsum(0)
        starts, lengths = (to_device(tensor, self.device) for tensor in (self.starts, self.lengths))
        before = (cumulative - is_counted)[starts]  # (n,)
        return (cumulative - before.repeat_interleave(lengths, output_size=len(is_counted))) * is_counted

    def __len__(self) -> int:
        return len(self.lengths)


def _flatten(texts: tuple[tuple[int, ...], ...], device: torch.device) -> torch.Tensor:
    return torch.tensor([token for text in texts for token in text], device=device)
