"""What of a text is hidden and has to be told: 15 % of its tokens, most of them behind a mask.

transformers has a collator for this. Of whole words it makes masks alone, and among its random tokens are special ones;
so this is our own, with one law for tokens and for words.
"""

from dataclasses import dataclass

import torch

MASKED, SHUFFLED = 0.8, 0.1
"""Of the tokens to be told, the part behind a mask and that of random ones; the rest is left as it is.

Devlin et al. 2019, section 3.1. With whole words, too, each token is dealt with by itself, as in their code.
"""

NO_WORD = -1
"""Stands for special tokens and padding, which belong to no word and are never hidden."""


@dataclass(frozen=True)
class MaskLaw:
    """How much is hidden, by token or by word, and what may stand in its place (`ordinary`: no special tokens)."""

    frac: float
    whole_words: bool
    mask_token_id: int
    ordinary: torch.Tensor  # (n,) int64


@dataclass(frozen=True)
class Masked:
    """Texts with something hidden: where it is in the flattened batch, and what it was."""

    ids: torch.Tensor  # (B, L) int64
    places: torch.Tensor  # (n,) int64, in 0 … B * L - 1
    truth: torch.Tensor  # (n,) int64


def mask(ids: torch.Tensor, words: torch.Tensor, law: MaskLaw, generator: torch.Generator) -> Masked:
    """Hide tokens of a batch (B, L), all on the CPU; `words` numbers each text's words from 0, NO_WORD for none.

    Every token, or word, is chosen by itself with a chance of `law.frac`.
    """
    units = words.clamp(min=0) if law.whole_words else torch.arange(ids.shape[1]).expand_as(ids)
    lots = torch.rand(ids.shape, generator=generator).gather(1, units)
    chosen = (lots < law.frac) & (words != NO_WORD)
    fates = torch.rand(ids.shape, generator=generator)
    shuffled = chosen & (fates >= MASKED) & (fates < MASKED + SHUFFLED)
    drawn = torch.randint(len(law.ordinary), (int(shuffled.sum()),), generator=generator)
    hidden = ids.masked_fill(chosen & (fates < MASKED), law.mask_token_id)
    hidden[shuffled] = law.ordinary[drawn]
    places = chosen.flatten().nonzero().squeeze(1)
    return Masked(hidden, places, ids.flatten()[places])
