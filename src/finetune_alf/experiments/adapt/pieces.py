"""Tokenised texts in a row of tokens, and the order in which training takes them: similar lengths together."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from finetune_alf.experiments.adapt.masking import NO_WORD
from finetune_alf.seeds import child_seed
from finetune_alf.train.forward.pack import PAD_TO_MULTIPLE_OF

BATCHES_TOGETHER = 50
"""So many batches' texts are sorted by length at a time: enough for little padding, few enough to stay shuffled."""

TokensAndWords = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True)
class Pieces:
    """Pieces of text end to end. Piece i is the `lengths[i]` tokens from `starts[i]` on."""

    ids: torch.Tensor  # (T,) int32
    words: torch.Tensor  # (T,) int32: the number of each token's word in its piece, NO_WORD for special tokens
    lengths: torch.Tensor  # (n,) int64
    starts: torch.Tensor  # (n,) int64

    @classmethod
    def of(cls, pieces: Iterable[TokensAndWords]) -> "Pieces":
        """Lay pieces out; words are the tokenizer's own numbers, rising through a text."""
        ids, words = array("i"), array("i")  # a list would take nine times the memory
        lengths = []
        for tokens, of_words in pieces:
            ids.extend(tokens)
            words.extend(_from_zero(of_words))
            lengths.append(len(tokens))
        n = torch.tensor(lengths, dtype=torch.int64)
        return cls(_tensor(ids), _tensor(words), n, n.cumsum(0) - n)

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: Sequence[int], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return ids, words and which of them are tokens, all (rows, L): padded to the longest."""
        lengths, starts = self.lengths[rows], self.starts[rows]
        rounded = -(-int(lengths.max()) // PAD_TO_MULTIPLE_OF) * PAD_TO_MULTIPLE_OF
        columns = torch.arange(min(rounded, int(self.lengths.max())))  # an encoder may have no position beyond
        is_token = columns < lengths[:, None]  # (rows, L)
        at = (starts[:, None] + columns).where(is_token, 0)
        ids = self.ids[at].long().where(is_token, pad_token_id)
        return ids, self.words[at].long().where(is_token, NO_WORD), is_token


def batches(lengths: torch.Tensor, batch: int, seed: int) -> Iterator[list[int]]:
    """Yield the rows of one step after another, for ever: every piece once in each epoch, in an order of its own."""
    epoch = 0
    while True:
        generator = torch.Generator().manual_seed(child_seed(seed, "pieces", epoch))
        order = torch.randperm(len(lengths), generator=generator)
        together = batch * BATCHES_TOGETHER
        steps = [
            rows
            for start in range(0, len(order), together)
            for rows in by_length(lengths, order[start : start + together], batch)
        ]
        for index in torch.randperm(len(steps), generator=generator).tolist():
            yield steps[index]
        epoch += 1


def by_length(lengths: torch.Tensor, rows: torch.Tensor, batch: int) -> list[list[int]]:
    """Return these rows in batches of similar length, the longest first."""
    ordered: list[int] = rows[lengths[rows].argsort(descending=True, stable=True)].tolist()
    return [ordered[start : start + batch] for start in range(0, len(ordered), batch)]


def _tensor(numbers: "array[int]") -> torch.Tensor:
    return torch.from_numpy(np.array(numbers, dtype=np.int32))


def _from_zero(words: Sequence[int]) -> list[int]:
    """Return a piece's words numbered from 0 without gaps."""
    numbers: dict[int, int] = {NO_WORD: NO_WORD}
    return [numbers.setdefault(word, len(numbers) - 1) for word in words]
