"""Unfreezing: which addresses may learn in which epoch of a fit."""

from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.rates import HEAD, Address, addresses
from finetune_alf.spec import ADDED_LATER, Spec


class ImmediateUnfreezing(Spec):
    """Every address with a rate above 0 learns from the first epoch."""

    kind: Literal["immediate"] = "immediate"

    def is_unfrozen(self, address: Address, epoch: int, n_layers: int) -> bool:
        """Return whether an address may learn in this epoch, counted from 0."""
        return True


class GradualUnfreezing(Spec):
    """One more address learns every few epochs, from the top down.

    ULMFiT (Howard & Ruder 2018, section 3.3) unfreezes the last layer in the first epoch, `start: top_layer`, and one
    more in each epoch after that. With `start: head` the head is alone in the first epochs, as Lawless and Pachgade's
    survey describes it.
    """

    kind: Literal["gradual"] = "gradual"
    every_epochs: Annotated[int, Field(ge=1)] = 1
    """The epochs until the next lower address learns."""
    start: Annotated[Literal["top_layer", "head"], ADDED_LATER] = "top_layer"

    def is_unfrozen(self, address: Address, epoch: int, n_layers: int) -> bool:
        """Return whether an address may learn in this epoch, counted from 0."""
        if address == HEAD:
            return True
        from_top = tuple(reversed(addresses(n_layers)[:-1]))  # layer.N-1 … layer.0, embeddings
        n_unfrozen = epoch // self.every_epochs + (self.start == "top_layer")
        return from_top.index(address) < n_unfrozen


Unfreezing = Annotated[ImmediateUnfreezing | GradualUnfreezing, Field(discriminator="kind")]
