"""Dropout noise, drawn fast: torch's own Bernoulli draws take longer on a CPU than the matrix products beside them."""

import numpy as np
import torch

_WIDTHS = {
    torch.bfloat16: torch.int16,
    torch.float16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}


class DropoutNoise:
    """What a tensor is multiplied with under dropout: 0 with probability p, else 1 / (1 - p).

    On a CPU each element's random bits, as wide as the element, are compared with p, and the answer times the bits of
    1 / (1 - p) is the element: the distribution of torch's dropout to within 2**-16, in another random stream.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.SFC64(seed)

    def draw(self, shape: torch.Size, p: float, like: torch.Tensor) -> torch.Tensor:
        """Return noise of a shape, in the type and on the device of `like`."""
        if like.device.type != "cpu":
            return torch.empty(shape, dtype=like.dtype, device=like.device).bernoulli_(1 - p).div_(1 - p)
        width = _WIDTHS[like.dtype]
        kept_bits = int(torch.tensor(1 / (1 - p), dtype=like.dtype).view(width).item())
        n_bytes = shape.numel() * like.dtype.itemsize
        words = self._bits.random_raw(-(-n_bytes // 8))  # 64 bits each
        noise = torch.from_numpy(words).view(width)[: shape.numel()]
        span = torch.iinfo(width)
        threshold = span.min + round(p * (span.max - span.min))
        return noise.ge_(threshold).mul_(kept_bits).view(like.dtype).view(shape)
