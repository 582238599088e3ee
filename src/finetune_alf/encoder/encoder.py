"""Encoder: a transformers model with its tokenizer, the addresses of its parameters, and its initial weights."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.encoder.initial_weights import InitialWeights
from finetune_alf.encoder.spec import AnyEncoder
from finetune_alf.encoder.tokens import Texts, Tokenizer, Tokens
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD
from finetune_alf.recipe import Adapter, Pooler, Truncation

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, eq=False)
class Encoder:
    """A sequence classification model that can be reset to its initial weights.

    `n_positions` is the maximum number of tokens of an input. `takes_token_types` is whether the model has token type
    embeddings for the two texts of a pair. `adapter` is the adapter in its layers, if any.
    """

    model: "PreTrainedModel"
    tokenizer: Tokenizer
    anatomy: Anatomy
    spec: AnyEncoder
    identity: str
    initial_weights: InitialWeights
    n_positions: int
    takes_token_types: bool
    adapter: Adapter | None = None

    @property
    def n_layers(self) -> int:
        """The number of layers that have an address."""
        return self.anatomy.n_layers

    def with_pooler(self, pooler: Pooler) -> "Encoder":
        """Return the same model, with a pre-trained pooler at an address of its own if it is to be `frozen`.

        A pooler that the checkpoint does not hold stays at the head.
        """
        head = self.anatomy.parameters[HEAD]
        names = [name for name in head if "pooler" in name and name in self.initial_weights.loaded]
        if pooler == "learns" or not names:
            return self
        return replace(self, anatomy=self.anatomy.with_pooler(names))

    def check_adapter(self, adapter: Adapter | None) -> None:
        """Raise EncoderError unless the encoder has this adapter, or none."""
        if adapter != self.adapter:
            raise EncoderError(
                f"{self.identity}: must have the recipe's adapter ({adapter or 'none'}), "
                f"but got {self.adapter or 'none'}. Add it with with_adapter, or change the recipe."
            )

    def reset(self, seed: int) -> None:
        """Restore the initial weights in place; every parameter requires gradients and has none.

        Tensors that the checkpoint does not hold are initialized from the seed. The global random state is unchanged.
        """
        self.initial_weights.restore(self.model, seed)

    def tokenize(self, texts: Texts, max_tokens: int, truncation: Truncation = "head") -> Tokens:
        """Tokenize single texts or pairs, truncated to `max_tokens`: of a pair each text, the longer one first.

        Raises EncoderError when the model has fewer positions than that.
        """
        if max_tokens > self.n_positions:
            raise EncoderError(
                f"max_tokens: must be at most {self.n_positions} for {self.identity}, but got {max_tokens}. Lower it."
            )
        return self.tokenizer(texts, max_tokens, self.takes_token_types, truncation)
