"""Attention of padded blocks with dropout, by the means that suit a device."""

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch.nn.attention import SDPBackend, sdpa_kernel

from finetune_alf.train.forward.attention import attention, attention_vmap
from finetune_alf.train.forward.dropout import DropoutMasks

LIBRARY_ATTENTION = frozenset({"cuda"})
"""Devices where torch's own attention is taken in training too: its kernels keep neither weights nor dropout masks.

On a CPU torch keeps both where there is dropout, and `attention` is faster.
"""

LIBRARY_KERNELS = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)
"""What torch may choose from there: cuDNN's kernels prepare themselves anew for each number and length of texts."""


class BlockAttention:
    """The attention of one model on one device; `dropout` is that of the attention weights, a probability."""

    def __init__(self, device: torch.device, dropout: float, masks: DropoutMasks) -> None:
        self.dropout, self._masks = dropout, masks
        self._is_library = device.type in LIBRARY_ATTENTION
        self._attend_in_training = self._library_attention if self._is_library else self._own_attention

    def __call__(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None, training: bool
    ) -> torch.Tensor:
        """Return the output, (n, heads, queries, dim); queries are scaled, and in training weights are dropped."""
        if not training:
            return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=1.0)
        return self._attend_in_training(query, key, value, bias)

    def kernels(self) -> AbstractContextManager[None]:
        """Return the context of a forward pass through the layers, entered once for all of them."""
        return sdpa_kernel(list(LIBRARY_KERNELS)) if self._is_library else nullcontext()

    def draw_mask(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor | None:
        """Draw a dropout mask for the attention weights, (n, heads, queries, keys)."""
        if not self.dropout:
            return None
        return self._masks.draw(torch.Size((*query.shape[:-1], key.shape[-2])), self.dropout, query)

    def _own_attention(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        return attention(query, key, value, bias, self.draw_mask(query, key))

    def _library_attention(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=self.dropout, scale=1.0)


class VmapBlockAttention(BlockAttention):
    """The same under vmap, which has no batching rule for scaled_dot_product_attention on a CPU."""

    def __call__(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None, training: bool
    ) -> torch.Tensor:
        """Return the output as BlockAttention does."""
        return attention_vmap(query, key, value, bias, self.draw_mask(query, key) if training else None)
