"""Tokenized texts, cut into pieces, and their batches: pieces of similar length together."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from finetune_alf.experiments.adapt.masking import NO_WORD
from finetune_alf.seeds import child_seed
from finetune_alf.train.forward.pack import PAD_TO_MULTIPLE_OF

BATCHES_SORTED_TOGETHER = 50
"""Batches whose pieces are sorted by length at a time: enough for little padding, and the order stays random."""

TokensAndWords = tuple[Sequence[int], Sequence[int]]
"""The token ids and word ids of a piece."""


@dataclass(frozen=True)
class Pieces:
    """Pieces of texts end to end. Piece i is the `lengths[i]` tokens from `starts[i]` on."""

    input_ids: torch.Tensor  # (T,) int32
    word_ids: torch.Tensor  # (T,) int32: counted from 0 in each piece, NO_WORD for special tokens
    lengths: torch.Tensor  # (n,) int64
    starts: torch.Tensor  # (n,) int64

    @classmethod
    def of(cls, pieces: Iterable[TokensAndWords]) -> "Pieces":
        """Store pieces; their word ids are those of the tokenizer, which rise through a text."""
        input_ids, word_ids = array("i"), array("i")  # a list would take nine times the memory
        lengths = []
        for tokens, words in pieces:
            input_ids.extend(tokens)
            word_ids.extend(_count_from_0(words))
            lengths.append(len(tokens))
        n = torch.tensor(lengths, dtype=torch.int64)
        return cls(_tensor(input_ids), _tensor(word_ids), n, n.cumsum(0) - n)

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: Sequence[int], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return input ids, word ids and which of them are tokens, all (rows, L), padded to the longest piece."""
        lengths, starts = self.lengths[rows], self.starts[rows]
        padded_length = -(-int(lengths.max()) // PAD_TO_MULTIPLE_OF) * PAD_TO_MULTIPLE_OF
        columns = torch.arange(min(padded_length, int(self.lengths.max())))  # an encoder may have no position beyond
        is_token = columns < lengths[:, None]  # (rows, L)
        index = (starts[:, None] + columns).where(is_token, 0)
        input_ids = self.input_ids[index].long().where(is_token, pad_token_id)
        return input_ids, self.word_ids[index].long().where(is_token, NO_WORD), is_token


def batches(lengths: torch.Tensor, batch: int, seed: int) -> Iterator[list[int]]:
    """Yield the rows of one step after another without end; an epoch has each piece once, in a new order."""
    epoch = 0
    while True:
        generator = torch.Generator().manual_seed(child_seed(seed, "pieces", epoch))
        order = torch.randperm(len(lengths), generator=generator)
        n_together = batch * BATCHES_SORTED_TOGETHER
        steps = [
            rows
            for start in range(0, len(order), n_together)
            for rows in batches_by_length(lengths, order[start : start + n_together], batch)
        ]
        for index in torch.randperm(len(steps), generator=generator).tolist():
            yield steps[index]
        epoch += 1


def batches_by_length(lengths: torch.Tensor, rows: torch.Tensor, batch: int) -> list[list[int]]:
    """Return these rows in batches of similar length, the longest first."""
    ordered: list[int] = rows[lengths[rows].argsort(descending=True, stable=True)].tolist()
    return [ordered[start : start + batch] for start in range(0, len(ordered), batch)]


def _tensor(numbers: "array[int]") -> torch.Tensor:
    return torch.from_numpy(np.array(numbers, dtype=np.int32))


def _count_from_0(words: Sequence[int]) -> list[int]:
    """Return a piece's word ids, counted from 0 without gaps."""
    numbers: dict[int, int] = {NO_WORD: NO_WORD}
    return [numbers.setdefault(word, len(numbers) - 1) for word in words]
