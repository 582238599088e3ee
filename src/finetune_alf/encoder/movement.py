"""How far a fit has moved the weights at each address: mean |end - start| / mean |start|.

Of a table of embeddings only the rows that changed count: most of its words are in no text of the fit.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

import torch

from finetune_alf.encoder.encoder import Encoder
from finetune_alf.rates import EMBEDDINGS, Address

Start = Mapping[Address, Mapping[str, torch.Tensor]]
"""The weights of a fit before its first step, by address and name."""


def weights_at_start(encoder: Encoder, rates: Mapping[Address, float]) -> Start:
    """Return the weights with a rate above 0, where possible the encoder's own copy of its initial weights."""

    def weights(name: str) -> torch.Tensor:
        current, loaded = encoder.model.get_parameter(name), encoder.initial_weights.loaded.get(name)
        is_same = loaded is not None and loaded.shape == current.shape  # not so in a restricted vocabulary
        return loaded if loaded is not None and is_same else current.detach().clone()

    trainable = [address for address, rate in rates.items() if rate > 0]
    return {address: {name: weights(name) for name in encoder.anatomy.parameters[address]} for address in trainable}


@torch.no_grad()
def mean_sizes(encoder: Encoder) -> dict[Address, float]:
    """Return the mean absolute value of the weights at each address, as they are now."""
    weights = {
        address: [encoder.model.get_parameter(name) for name in names]
        for address, names in encoder.anatomy.parameters.items()
    }
    return {
        address: sum(float(total(each.abs())) for each in own) / sum(each.numel() for each in own)
        for address, own in weights.items()
        if own
    }


@torch.no_grad()
def movement(addresses: Iterable[Address], start: Start, end: Mapping[str, torch.Tensor]) -> dict[Address, float]:
    """Return the relative movement at each address: 0 where nothing was trained.

    `end` may leave out weights that are as at the start. Addresses are left out that have no weights, as the common
    head of several tasks may have none, or whose weights were all 0 at the start, or are no longer finite.
    """
    summed = {address: torch.stack([*_sums(address, own, end)]).sum(0) for address, own in start.items() if own}
    both = zip(summed, torch.stack([*summed.values()]).tolist(), strict=True)
    relative = {address: moved / size for address, (moved, size) in both if size and math.isfinite(moved)}
    return {a: relative.get(a, 0.0) for a in addresses if a in relative or a not in start}


def _sums(
    address: Address, start: Mapping[str, torch.Tensor], end: Mapping[str, torch.Tensor]
) -> Iterator[torch.Tensor]:
    """Yield for each parameter the sums of |end - start| and |start|, (2,)."""
    for name, before in start.items():
        moved, size = (end.get(name, before) - before).abs(), before.abs()
        if address == EMBEDDINGS and before.ndim == 2:
            size = size * (moved > 0).any(1, keepdim=True)
        yield torch.stack([total(moved), total(size)])


def total(values: torch.Tensor) -> torch.Tensor:
    """Return the sum of values in fp64; in fp32 on a GPU of Apple's, which has no fp64."""
    return values.sum(dtype=torch.float32 if values.device.type == "mps" else torch.float64)
