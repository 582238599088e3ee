"""Dropout masks, drawn fast: torch's own Bernoulli draws take longer on a CPU than the matrix products around them."""

import numpy as np
import torch

_BIT_TYPES = {
    torch.bfloat16: torch.int16,
    torch.float16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}


class DropoutMasks:
    """Draws scaled dropout masks: 0 with probability p, else 1 / (1 - p).

    On a CPU, as many random bits as the element has are compared with p, and the result is multiplied by the bits of
    1 / (1 - p): the distribution of torch's dropout to within 2**-16, in another random stream.
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.SFC64(seed)

    def draw(self, shape: torch.Size, p: float, like: torch.Tensor) -> torch.Tensor:
        """Return a mask of this shape, in the dtype and on the device of `like`."""
        if like.device.type != "cpu":
            return drawn_on_device(shape, p, like)
        bit_type = _BIT_TYPES[like.dtype]
        kept_bits = int(torch.tensor(1 / (1 - p), dtype=like.dtype).view(bit_type).item())
        n_bytes = shape.numel() * like.dtype.itemsize
        words = self._generator.random_raw(-(-n_bytes // 8))  # 64 bits each
        mask = torch.from_numpy(words).view(bit_type)[: shape.numel()]
        limits = torch.iinfo(bit_type)
        threshold = limits.min + round(p * (limits.max - limits.min))
        return mask.ge_(threshold).mul_(kept_bits).view(like.dtype).view(shape)


def drawn_on_device(shape: torch.Size, p: float, like: torch.Tensor) -> torch.Tensor:
    """Return a mask by torch's own generator of the device."""
    return torch.empty(shape, dtype=like.dtype, device=like.device).bernoulli_(1 - p).div_(1 - p)
