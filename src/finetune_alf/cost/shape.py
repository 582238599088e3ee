"""Inputs of the formulas: an encoder's sizes, how its forward pass works, and how long the texts of a fit are."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from finetune_alf.rates import EMBEDDINGS, HEAD, POOLER, Address, LayerRates, is_adapter, rate_source
from finetune_alf.recipe import Pooling


@dataclass(frozen=True)
class EncoderShape:
    """An encoder's sizes, in weights unless stated otherwise.

    `parameters` counts the weights at each address; `head` those of each matrix of the head, in order; `projection`
    those of the matrix between embeddings and layers, if there is one. `n_passes` is how often a forward pass runs the
    layers: more than once where they share their weights (ALBERT). `adapter` counts the weights in the matrices of one
    layer's adapter, which has an address of its own.
    """

    n_layers: int
    hidden_size: int
    intermediate_size: int
    n_heads: int
    parameters: Mapping[Address, int]
    head: tuple[int, ...]
    vocab_size: int
    embedding_size: int
    projection: int = 0
    n_passes: int = 1
    adapter: int = 0

    def trainable_parts(self, rates: LayerRates) -> frozenset[Address]:
        """Return those of embeddings, layers and head that contain trainable weights at these rates.

        With adapters the embeddings do not; of a layer its adapter does.
        """
        frozen = (EMBEDDINGS,) if self.adapter else ()
        return frozenset(address for address, rate in rates.items() if rate > 0 and address not in frozen)

    def trainable_addresses(self, parts: Collection[Address]) -> tuple[Address, ...]:
        """Return the addresses of the trainable weights in these parts; a task's head is in the part `head`."""
        inside = (a for a in self.parameters if rate_source(a) in parts and a != POOLER)
        return tuple(a for a in inside if not self.adapter or is_adapter(a) or rate_source(a) == HEAD)

    def n_trainable(self, address: Address, n_words: int) -> int:
        """Return how many weights of an address an optimizer updates, with a vocabulary restricted to `n_words`."""
        left_out = (self.vocab_size - n_words) * self.embedding_size if address == EMBEDDINGS else 0
        return self.parameters[address] - left_out


@dataclass(frozen=True)
class Engine:
    """How fits run: packed or padded, the batch size of an evaluation, and the largest frozen features to cache.

    `bytes_per_number` is 2 for bf16 activations, 4 for fp32. With `micro_batch` at most so many texts are in a batch.
    `pooling` is that of the recipe. `keeps_attention`: training keeps attention weights and their dropout masks.
    """

    packed: bool
    evaluation_batch: int
    max_features_bytes: int
    bytes_per_number: int = 4
    micro_batch: int | None = None
    pooling: Pooling = "first"
    keeps_attention: bool = True

    @property
    def first_token_only(self) -> bool:
        """Whether the top layer computes its output for each text's first token only."""
        return self.packed and self.pooling == "first"


@dataclass(frozen=True)
class FitLengths:
    """The number of tokens of each text of a fit, truncated to the recipe's `max_tokens`.

    `scored` is None where the fit is scored on the validation split. `n_words` is the number of different words.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    scored: tuple[int, ...] | None
    n_words: int


@dataclass(frozen=True)
class TokenCounts:
    """The texts and tokens that pass a layer, the sum of their squared lengths (for attention), and the batches."""

    n_texts: float
    n_tokens: float
    squared_lengths: float
    n_batches: int
