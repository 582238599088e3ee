"""InferenceForward: the packed forward pass of many texts on a CPU, in evaluation mode.

Only texts of equal length share a block of attention, so that nothing is padded or masked, and query, key and value are
one product. Exactness: the same mathematics as PackedForward in another rounding order.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.encoder.text_heads import Module
from finetune_alf.recipe import Pooling
from finetune_alf.train.forward.agreement import is_packed
from finetune_alf.train.forward.layer import Layer
from finetune_alf.train.forward.pack import PackedBatch, pack_all
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.protocol import Forward, forward_of
from finetune_alf.train.forward.table import TokenTable

CPU_TOKENS = 1024
"""Tokens of a batch on a CPU: what a layer computes of so many stays in its cache."""


class InferenceForward(PackedForward):
    """The forward pass of one model, of a family in FAMILIES; `dtype` is that of its matrix products."""

    layout = "packed by equal lengths"

    def __init__(self, model: Module, pooling: Pooling, dtype: torch.dtype) -> None:
        super().__init__(model, 0, pooling)
        self._joined = {id(layer): _joined(layer, self.scale, dtype) for layer in self.layers[:-1]}

    def prepare(self, table: TokenTable, batches: Sequence[Sequence[int]]) -> list[PackedBatch]:
        """Pack batches of rows, with groups of texts of equal length."""
        return pack_all(table, batches, is_padded=False)

    def _query_key_value(self, layer: Layer, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        joined = self._joined.get(id(layer))
        return super()._query_key_value(layer, x) if joined is None else F.linear(x, *joined).chunk(3, -1)


def inference_forward(model: Module, name: str, pooling: Pooling, dtype: torch.dtype) -> Forward:
    """Return the fastest forward pass for texts that are only evaluated; the other arguments are `forward_of`'s."""
    is_on_cpu = next(model.parameters()).device.type == "cpu"
    return (
        InferenceForward(model, pooling, dtype)
        if is_on_cpu and is_packed(model, name)
        else forward_of(model, 0, name, pooling)
    )


def inference_batches(lengths: torch.Tensor, batch: int, max_tokens: int | None = CPU_TOKENS) -> list[list[int]]:
    """Return batches of rows of similar length, the longest first, of at most so many texts and tokens.

    A single text may have more tokens than that.
    """
    batches: list[list[int]] = []
    n_tokens = 0
    for row in lengths.argsort(stable=True, descending=True).tolist():
        n_tokens += int(lengths[row])
        if not batches or len(batches[-1]) == batch or (max_tokens is not None and n_tokens > max_tokens):
            batches.append([])
            n_tokens = int(lengths[row])
        batches[-1].append(row)
    return batches


def _joined(layer: Layer, scale: float, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weight (3H, H) and bias (3H,) of one product, the query's scaled."""
    parts = [(each.weight, each.bias) for each in (layer.query, layer.key, layer.value)]
    (query_weight, query_bias), *others = parts
    weights, biases = zip((query_weight * scale, query_bias * scale), *others, strict=True)
    return torch.cat(weights).detach().to(dtype), torch.cat(biases).detach().to(dtype)
