"""The tokenizer of random encoders: words hashed to token ids, equal on every machine."""

import re
import zlib
from itertools import zip_longest

from finetune_alf.encoder.tokens import Texts, Tokens, check_max_tokens, split_pairs
from finetune_alf.encoder.truncation import kept_of_pair, kept_positions
from finetune_alf.errors import EncoderError
from finetune_alf.recipe import Truncation


class WordHashTokenizer:
    """Hashes words and punctuation to token ids: CLS text SEP, or CLS first SEP second SEP."""

    def __init__(self, vocab_size: int, pad_token_id: int | None) -> None:
        """Take the size of the vocabulary, and the config's padding id if it is in the vocabulary."""
        if vocab_size < 4:
            raise EncoderError(
                f"config.vocab_size: must be at least 4 (padding, CLS, SEP, a word), but got {vocab_size}. Raise it."
            )
        self.pad_token_id = pad_token_id if pad_token_id is not None and 0 <= pad_token_id < vocab_size else 0
        self.cls_token_id, self.sep_token_id, *self._word_ids = (i for i in range(vocab_size) if i != self.pad_token_id)

    def __call__(
        self, texts: Texts, max_tokens: int, with_token_types: bool, truncation: Truncation = "head"
    ) -> Tokens:
        """Tokenize single texts or pairs."""
        first, second = split_pairs(texts)
        check_max_tokens(max_tokens, 2 if second is None else 3)
        rows = [self._row(one, two, max_tokens, truncation) for one, two in zip_longest(first, second or ())]
        types = tuple((0,) * n_first + (1,) * (len(ids) - n_first) for ids, n_first in rows)
        return Tokens(tuple(ids for ids, _ in rows), types if with_token_types else None, self.pad_token_id)

    def _row(self, one: str, two: str | None, max_tokens: int, truncation: Truncation) -> tuple[tuple[int, ...], int]:
        """Return the ids of one text or pair, and how many of them belong to the first text."""
        first = self._ids(one)
        if two is None:
            first = [first[at] for at in kept_positions(len(first), max_tokens - 2, truncation)]
            return (self.cls_token_id, *first, self.sep_token_id), len(first) + 2
        second = self._ids(two)
        numbers = kept_of_pair(len(first), len(second), max_tokens - 3)
        first, second = (
            [ids[at] for at in kept_positions(len(ids), n, truncation)]
            for ids, n in zip((first, second), numbers, strict=True)
        )
        return (self.cls_token_id, *first, self.sep_token_id, *second, self.sep_token_id), len(first) + 2

    def _ids(self, text: str) -> list[int]:
        words = re.findall(r"\w+|[^\w\s]", text.lower())
        return [self._word_ids[zlib.crc32(word.encode()) % len(self._word_ids)] for word in words]
