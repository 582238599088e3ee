"""The tokenizer of random encoders: every word hashed to an id, the same on every machine."""

import re
import zlib
from itertools import zip_longest

from finetune_alf.encoder.tokens import Texts, Tokens, check_room, split_pairs
from finetune_alf.errors import EncoderError


class WordHashTokenizer:
    """Words and signs hashed into a vocabulary: CLS text SEP, or CLS first SEP second SEP."""

    def __init__(self, n_ids: int, pad_token_id: int | None) -> None:
        """Take the size of the vocabulary, and the config's padding id if it lies inside."""
        if n_ids < 4:
            raise EncoderError(
                f"config.vocab_size: must be at least 4 (padding, CLS, SEP, a word), but got {n_ids}. Raise it."
            )
        self.pad_token_id = pad_token_id if pad_token_id is not None and 0 <= pad_token_id < n_ids else 0
        self.cls_id, self.sep_id, *self._words = (i for i in range(n_ids) if i != self.pad_token_id)

    def __call__(self, texts: Texts, max_tokens: int, with_token_types: bool) -> Tokens:
        """Tokenise single texts or pairs."""
        first, second = split_pairs(texts)
        check_room(max_tokens, 2 if second is None else 3)
        rows = [self._row(one, two, max_tokens) for one, two in zip_longest(first, second or ())]
        types = (
            tuple((0,) * n_first + (1,) * (len(ids) - n_first) for ids, n_first in rows) if with_token_types else None
        )
        return Tokens(tuple(ids for ids, _ in rows), types, self.pad_token_id)

    def _row(self, one: str, two: str | None, max_tokens: int) -> tuple[tuple[int, ...], int]:
        """Return the ids of one text or pair, and how many of them belong to the first text."""
        first = self._ids(one)
        if two is None:
            first = first[: max_tokens - 2]
            return (self.cls_id, *first, self.sep_id), len(first) + 2
        second = self._ids(two)
        while len(first) + len(second) > max_tokens - 3:
            (first if len(first) >= len(second) else second).pop()
        return (self.cls_id, *first, self.sep_id, *second, self.sep_id), len(first) + 2

    def _ids(self, text: str) -> list[int]:
        words = re.findall(r"\w+|[^\w\s]", text.lower())
        return [self._words[zlib.crc32(word.encode()) % len(self._words)] for word in words]
