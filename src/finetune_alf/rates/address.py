"""The names of an encoder's parts, from the input up: `embeddings`, `layer.0` … `layer.N-1`, `head`."""

from typing import NewType

Address = NewType("Address", str)

EMBEDDINGS = Address("embeddings")
HEAD = Address("head")


def layer(index: int) -> Address:
    """Return the address of the layer with this index, counted from the input."""
    return Address(f"layer.{index}")


def addresses(n_layers: int) -> tuple[Address, ...]:
    """Return all addresses of an encoder of this depth, from the input up."""
    return (EMBEDDINGS, *(layer(index) for index in range(n_layers)), HEAD)
