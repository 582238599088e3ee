"""Token ids of texts, and the interface of tokenizers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from finetune_alf.errors import EncoderError

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

    def __call__(self, texts: Texts, max_tokens: int, with_token_types: bool) -> Tokens:
        """Tokenize single texts or pairs."""
        ...


class PretrainedTokenizer:
    """The tokenizer of a checkpoint."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self.tokenizer = tokenizer

    def __call__(self, texts: Texts, max_tokens: int, with_token_types: bool) -> Tokens:
        """Tokenize single texts or pairs."""
        first, second = split_pairs(texts)
        check_max_tokens(max_tokens, self.tokenizer.num_special_tokens_to_add(pair=second is not None))
        pad_token_id = self.tokenizer.pad_token_id
        if not first:
            return Tokens((), () if with_token_types else None, pad_token_id)
        encoded = self.tokenizer(
            first,
            second,
            truncation=True,
            max_length=max_tokens,
            return_attention_mask=False,
            return_token_type_ids=with_token_types,
        )
        types = tuple(map(tuple, encoded["token_type_ids"])) if with_token_types else None
        return Tokens(tuple(map(tuple, encoded["input_ids"])), types, pad_token_id)


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
