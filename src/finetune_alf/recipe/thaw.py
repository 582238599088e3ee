"""Thaws: which addresses are open yet, over the epochs of a fit."""

from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.rates import HEAD, Address, addresses
from finetune_alf.spec import Spec


class OpenThaw(Spec):
    """Everything with a rate is open from the first epoch."""

    kind: Literal["open"] = "open"

    def is_open(self, address: Address, epoch: int, n_layers: int) -> bool:
        """Say whether an address may learn in this epoch, counted from 0."""
        return True


class GradualThaw(Spec):
    """Gradual unfreezing: the head first, then one address more every few epochs, from the top down.

    ULMFiT (Howard & Ruder 2018, section 3.3) opens the last layer in the first epoch and one below in each next.
    """

    kind: Literal["gradual"] = "gradual"
    every_epochs: Annotated[int, Field(ge=1)] = 1

    def is_open(self, address: Address, epoch: int, n_layers: int) -> bool:
        """Say whether an address may learn in this epoch, counted from 0."""
        if address == HEAD:
            return True
        from_top = tuple(reversed(addresses(n_layers)[:-1]))  # layer.N-1 … layer.0, embeddings
        return from_top.index(address) <= epoch // self.every_epochs


Thaw = Annotated[OpenThaw | GradualThaw, Field(discriminator="kind")]
