"""A split's tokens in one row on the device: what forward passes gather their batches from."""

from dataclasses import dataclass
from functools import cached_property

import torch

from finetune_alf.encoder.tokens import Tokens


@dataclass(frozen=True)
class TokenTable:
    """All texts of a split end to end. Text i is the `lengths[i]` tokens from `starts[i]` on."""

    ids: torch.Tensor  # (T,) int64
    types: torch.Tensor | None  # (T,) int64
    lengths: torch.Tensor  # (n,) int64, on the CPU: batches are planned there
    starts: torch.Tensor  # (n,) int64, on the CPU
    pad_token_id: int

    @classmethod
    def of(cls, tokens: Tokens, device: torch.device) -> "TokenTable":
        """Lay a split's tokens out on a device."""
        lengths = torch.tensor([len(text) for text in tokens.input_ids])
        return cls(
            ids=_flat(tokens.input_ids, device),
            types=None if tokens.token_type_ids is None else _flat(tokens.token_type_ids, device),
            lengths=lengths,
            starts=lengths.cumsum(0) - lengths,
            pad_token_id=tokens.pad_token_id,
        )

    @property
    def device(self) -> torch.device:
        """Where the tokens are."""
        return self.ids.device

    @cached_property
    def counted(self) -> torch.Tensor:
        """Each token's place in its text, from 1, (T,): padding ids inside a text are 0 and not counted (RoBERTa)."""
        is_counted = (self.ids != self.pad_token_id).long()
        upto = is_counted.cumsum(0)
        before = (upto - is_counted)[self.starts.to(self.device)]  # (n,)
        return (upto - before.repeat_interleave(self.lengths.to(self.device))) * is_counted

    def __len__(self) -> int:
        return len(self.lengths)


def _flat(texts: tuple[tuple[int, ...], ...], device: torch.device) -> torch.Tensor:
    return torch.tensor([token for text in texts for token in text], device=device)
