"""Encoder: model, tokenizer and anatomy, the one live object that crosses floors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.encoder.initial_weights import InitialWeights
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.encoder.tokens import Texts, Tokenizer, Tokens
from finetune_alf.errors import EncoderError
from finetune_alf.recipe import Adapter

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, eq=False)
class Encoder:
    """A sequence classification model that can be put back to its first weights.

    `n_positions` is the longest text, in tokens, that it can read; `takes_token_types` says whether it tells first and
    second text of a pair apart by token types; `adapter` says what was built into it, if anything.
    """

    model: "PreTrainedModel"
    tokenizer: Tokenizer
    anatomy: Anatomy
    spec: EncoderSpec
    identity: str
    initial_weights: InitialWeights
    n_positions: int
    takes_token_types: bool
    adapter: Adapter | None = None

    @property
    def n_layers(self) -> int:
        """How many layers have an address."""
        return self.anatomy.n_layers

    def check_adapter(self, adapter: Adapter | None) -> None:
        """Raise EncoderError unless this adapter, or none, is what was built in."""
        if adapter != self.adapter:
            raise EncoderError(
                f"{self.identity}: must have the recipe's adapter ({adapter or 'none'}), "
                f"but has {self.adapter or 'none'}. Build it in with with_adapter, or change the recipe."
            )

    def reset(self, seed: int) -> None:
        """Put the first weights back in place: the same tensors, open, without gradients.

        Head tensors that no checkpoint held are drawn from the seed; the global random state is left as it was.
        """
        self.initial_weights.restore(self.model, seed)

    def tokenize(self, texts: Texts, max_tokens: int) -> Tokens:
        """Tokenise single texts or pairs, cut to `max_tokens`.

        Raises EncoderError when the encoder cannot read texts that long.
        """
        if max_tokens > self.n_positions:
            raise EncoderError(
                f"max_tokens: must be at most {self.n_positions} for {self.identity}, but got {max_tokens}. Lower it."
            )
        return self.tokenizer(texts, max_tokens, self.takes_token_types)
