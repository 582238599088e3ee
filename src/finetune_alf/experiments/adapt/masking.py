"""Masking for masked language modelling: which tokens are predicted, and what replaces them in the input.

transformers has data collators for this. Theirs for whole words uses mask tokens only, and random tokens may be special
ones; here one rule masks tokens and whole words.
"""

from dataclasses import dataclass

import torch

from finetune_alf.encoder.masked_lm import MaskedLanguageModel

MASK_TOKEN_FRAC, RANDOM_TOKEN_FRAC = 0.8, 0.1
"""Fractions of the predicted tokens that a mask token and a random token replace; the others stay in the input.

Devlin et al. 2019, section 3.1. In whole words, too, each token is replaced independently, as in their code.
"""

NO_WORD = -1
"""The word id of special tokens and padding, which are never masked."""


@dataclass(frozen=True)
class MaskingRule:
    """The fraction of tokens, or of whole words, to predict; `random_ids` are the tokens that may replace them."""

    mask_frac: float
    whole_words: bool
    mask_token_id: int
    random_ids: torch.Tensor  # (n,) int64

    @classmethod
    def of(cls, masked_lm: MaskedLanguageModel, mask_frac: float, whole_words: bool) -> "MaskingRule":
        """Return the rule with the tokens of a model; random tokens are not special ones."""
        return cls(mask_frac, whole_words, masked_lm.mask_token_id, torch.tensor(masked_lm.non_special_ids))


@dataclass(frozen=True)
class MaskedTexts:
    """Masked texts, the positions of the masked tokens in the flattened batch, and their original ids."""

    input_ids: torch.Tensor  # (B, L) int64
    positions: torch.Tensor  # (n,) int64, in 0 … B * L - 1
    labels: torch.Tensor  # (n,) int64


def mask_tokens(
    input_ids: torch.Tensor, word_ids: torch.Tensor, rule: MaskingRule, generator: torch.Generator
) -> MaskedTexts:
    """Mask tokens of a batch, (B, L) on the CPU; `word_ids` count each text's words from 0, NO_WORD for none.

    Each token, or whole word, is chosen independently with probability `mask_frac`.
    """
    units = word_ids.clamp(min=0) if rule.whole_words else torch.arange(input_ids.shape[1]).expand_as(input_ids)
    chances = torch.rand(input_ids.shape, generator=generator).gather(1, units)
    is_masked = (chances < rule.mask_frac) & (word_ids != NO_WORD)
    replacement = torch.rand(input_ids.shape, generator=generator)
    is_random = is_masked & (replacement >= MASK_TOKEN_FRAC) & (replacement < MASK_TOKEN_FRAC + RANDOM_TOKEN_FRAC)
    random_indices = torch.randint(len(rule.random_ids), (int(is_random.sum()),), generator=generator)
    masked_ids = input_ids.masked_fill(is_masked & (replacement < MASK_TOKEN_FRAC), rule.mask_token_id)
    masked_ids[is_random] = rule.random_ids[random_indices]
    positions = is_masked.flatten().nonzero().squeeze(1)
    return MaskedTexts(masked_ids, positions, input_ids.flatten()[positions])
