"""Token ids of texts, and the interface of tokenizers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from finetune_alf.encoder.truncation import kept_of_pair, kept_positions
from finetune_alf.errors import EncoderError
from finetune_alf.recipe import Truncation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Texts = Sequence[str] | Sequence[tuple[str, str]] | Sequence[str | tuple[str, str]]
"""Single texts, or pairs; never both in one call."""


@dataclass(frozen=True)
class Tokens:
    """Token ids of texts, one tuple a text, without padding; `token_type_ids` (0 first text, 1 second) if taken."""

    input_ids: tuple[tuple[int, ...], ...]
    token_type_ids: tuple[tuple[int, ...], ...] | None
    pad_token_id: int

    def __len__(self) -> int:
        return len(self.input_ids)


class Tokenizer(Protocol):
    """Tokenizes texts with special tokens, truncated to `max_tokens`, the longer text of a pair first."""

    def __call__(
        self, texts: Texts, max_tokens: int, with_token_types: bool, truncation: Truncation = "head"
    ) -> Tokens:
        """Tokenize single texts or pairs."""
        ...


class PretrainedTokenizer:
    """The tokenizer of a checkpoint."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self.tokenizer = tokenizer

    def __call__(
        self, texts: Texts, max_tokens: int, with_token_types: bool, truncation: Truncation = "head"
    ) -> Tokens:
        """Tokenize single texts or pairs; EncoderError where the tokenizer does not say which tokens are special."""
        first, second = split_pairs(texts)
        n_special = self.tokenizer.num_special_tokens_to_add(pair=second is not None)
        check_max_tokens(max_tokens, n_special)
        pad_token_id = self.tokenizer.pad_token_id
        if not first:
            return Tokens((), () if with_token_types else None, pad_token_id)
        settings = {"return_attention_mask": False, "return_token_type_ids": with_token_types}
        if truncation == "head":
            encoded = self.tokenizer(first, second, truncation=True, max_length=max_tokens, **settings)
            return _tokens(encoded, [slice(None)] * len(first), pad_token_id)
        if not self.tokenizer.is_fast:
            raise EncoderError(
                f"truncation: must be head for the tokenizer {type(self.tokenizer).__name__}, but got {truncation}. "
                "Set it to head, or use an encoder with a tokenizer.json."
            )
        encoded = self.tokenizer(first, second, truncation=False, verbose=False, **settings)
        kept = [_kept(encoded.sequence_ids(row), max_tokens - n_special, truncation) for row in range(len(first))]
        return _tokens(encoded, kept, pad_token_id)


def _kept(text_of: Sequence[int | None], n_kept: int, truncation: Truncation) -> list[int]:
    """Return the positions of a row that are kept, given the text of each token: 0, 1, or None for a special one."""
    places = [[position for position, text in enumerate(text_of) if text == each] for each in (0, 1)]
    numbers = kept_of_pair(len(places[0]), len(places[1]), n_kept)
    kept = {position for position, text in enumerate(text_of) if text is None}
    for own, number in zip(places, numbers, strict=True):
        kept.update(own[index] for index in kept_positions(len(own), number, truncation))
    return sorted(kept)


def _tokens(encoded: Any, kept: Sequence[slice | list[int]], pad_token_id: int) -> Tokens:
    def rows(name: str) -> tuple[tuple[int, ...], ...]:
        pairs = zip(encoded[name], kept, strict=True)
        return tuple(tuple(ids[own] if isinstance(own, slice) else (ids[at] for at in own)) for ids, own in pairs)

    return Tokens(rows("input_ids"), rows("token_type_ids") if "token_type_ids" in encoded else None, pad_token_id)


def split_pairs(texts: Texts) -> tuple[list[str], list[str] | None]:
    """Return first and second texts, None for single texts; raises EncoderError when both kinds are mixed."""
    pairs = [text for text in texts if not isinstance(text, str)]
    if not pairs:
        return [text for text in texts if isinstance(text, str)], None
    if len(pairs) < len(texts):
        raise EncoderError(
            f"texts: must be all single or all pairs, but got {len(pairs)} pairs among {len(texts)}. "
            "Check the sample's text columns."
        )
    return [first for first, _ in pairs], [second for _, second in pairs]


def check_max_tokens(max_tokens: int, n_special: int) -> None:
    """Raise EncoderError when `max_tokens` leaves no token for the text."""
    if max_tokens <= n_special:
        raise EncoderError(
            f"max_tokens: must be more than the {n_special} special tokens of a text, but got {max_tokens}. Raise it."
        )
