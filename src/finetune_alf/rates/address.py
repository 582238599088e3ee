"""Addresses of an encoder's parameters, from the input up: `embeddings`, `layer.0` … `layer.N-1`, `head`.

A module that is added to an encoder has its own address and takes the rate of another one: `adapter.i` that of
`layer.i`, and `head.<task>`, the head of one task among several, that of `head`. A pre-trained pooler that is frozen
apart from the head is at `pooler`, and has no rate.
"""

from functools import lru_cache
from typing import NewType

Address = NewType("Address", str)

EMBEDDINGS = Address("embeddings")
HEAD = Address("head")
POOLER = Address("pooler")


def layer(index: int) -> Address:
    """Return the address of the layer with this index, counted from the input."""
    return Address(f"layer.{index}")


def adapter(index: int) -> Address:
    """Return the address of the adapter in the layer with this index."""
    return Address(f"adapter.{index}")


def task_head(task: str) -> Address:
    """Return the address of the head layers of one task."""
    return Address(f"head.{task}")


def is_adapter(address: Address) -> bool:
    """Return whether this is the address of an adapter."""
    return address.startswith("adapter.")


def rate_source(address: Address) -> Address:
    """Return the address whose rate and unfreezing epoch apply to this one; most often itself."""
    if is_adapter(address):
        return Address(f"layer.{address.removeprefix('adapter.')}")
    return HEAD if address == POOLER or address.startswith("head.") else address


@lru_cache(maxsize=32)  # a study keeps them for each of its trials
def addresses(n_layers: int) -> tuple[Address, ...]:
    """Return all addresses of an encoder of this depth, from the input up."""
    return (EMBEDDINGS, *(layer(index) for index in range(n_layers)), HEAD)


def address_order(address: str) -> tuple[int, int]:
    """Return the place of an address from the input up, as a key to sort by."""
    kind, _, index = address.partition(".")
    return {EMBEDDINGS: 0, HEAD: 2, POOLER: 2}.get(Address(kind), 1), int(index) if index.isdigit() else 0
