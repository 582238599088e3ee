"""What the formulas must know: an encoder's sizes, how its forward pass works, and how long the texts of a fit are."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from finetune_alf.rates import EMBEDDINGS, HEAD, Address, LayerRates, is_adapter, rate_source


@dataclass(frozen=True)
class Shape:
    """An encoder's sizes, in weights unless said otherwise.

    `parameters` counts the weights at each address; `head` the matrices that read the first token, in order;
    `projection` the one between embeddings and layers, where there is one. `passes` says how often the layers are
    run through: more than once where they share their weights (ALBERT). `adapter` counts the weights in the matrices of
    one layer's adapter, which lies at an address of its own.
    """

    n_layers: int
    hidden: int
    intermediate: int
    n_heads: int
    parameters: Mapping[Address, int]
    head: tuple[int, ...]
    n_words: int
    word_width: int
    projection: int = 0
    passes: int = 1
    adapter: int = 0

    def opened(self, rates: LayerRates) -> frozenset[Address]:
        """Return those of embeddings, layers and head where something learns at these rates.

        With adapters the embeddings do not; of a layer its adapter does.
        """
        still = (EMBEDDINGS,) if self.adapter else ()
        return frozenset(address for address, rate in rates.items() if rate > 0 and address not in still)

    def learning(self, opened: Collection[Address]) -> tuple[Address, ...]:
        """Return the addresses of the weights that learn where these are open: a task's head with the head."""
        learning = (address for address in self.parameters if rate_source(address) in opened)
        return tuple(a for a in learning if not self.adapter or is_adapter(a) or rate_source(a) == HEAD)

    def n_open(self, address: Address, n_words: int) -> int:
        """Return how many weights of an address an optimizer holds when the word table is cut to `n_words` rows."""
        cut = (self.n_words - n_words) * self.word_width if address == EMBEDDINGS else 0
        return self.parameters[address] - cut


@dataclass(frozen=True)
class Engine:
    """How fits are run: packed or padded, how many texts an evaluation takes at once, and what it may keep.

    `prefix_bytes` is the largest prefix that is kept; `bytes_a_number` 2 for bf16 arithmetic, 4 for fp32.
    """

    packed: bool
    evaluation_batch: int
    prefix_bytes: int
    bytes_a_number: int = 4


@dataclass(frozen=True)
class FitLengths:
    """How many tokens each text of a fit has once it is cut to the recipe's `max_tokens`.

    `scored` is None where the fit is scored on the validation split. `n_words` different words occur in all of them.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    scored: tuple[int, ...] | None
    n_words: int


@dataclass(frozen=True)
class Seen:
    """What linear layers and attention see of some texts: how many, their tokens, the sum of their squared lengths."""

    n_texts: float
    tokens: float
    squares: float
    n_batches: int
