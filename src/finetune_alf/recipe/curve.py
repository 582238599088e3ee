"""Curves: one multiplier in [0, 1] over the steps of a fit, the same for every address.

Each is asked `at(step, n_steps, n_epochs)`: the step, from 0, the steps of the whole fit, and its epochs, of equally
many steps each.
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.spec import Spec

Frac = Annotated[float, Field(ge=0, lt=1)]


class ConstantCurve(Spec):
    """The rate stays as it is."""

    kind: Literal["constant"] = "constant"

    def at(self, step: int, n_steps: int, n_epochs: int) -> float:
        """Return the multiplier of step 0 … n_steps - 1."""
        return 1.0


class LinearCurve(Spec):
    """Up over the warm-up, then down to zero in a straight line."""

    kind: Literal["linear"] = "linear"
    warmup_frac: Frac = 0.0

    def at(self, step: int, n_steps: int, n_epochs: int) -> float:
        """Return the multiplier of step 0 … n_steps - 1."""
        warmup = math.ceil(self.warmup_frac * n_steps)
        return _warm(step, warmup) if step < warmup else (n_steps - step) / max(n_steps - warmup, 1)


class CosineCurve(Spec):
    """Up over the warm-up, then down to zero along half a cosine (Loshchilov & Hutter 2017)."""

    kind: Literal["cosine"] = "cosine"
    warmup_frac: Frac = 0.0

    def at(self, step: int, n_steps: int, n_epochs: int) -> float:
        """Return the multiplier of step 0 … n_steps - 1."""
        warmup = math.ceil(self.warmup_frac * n_steps)
        if step < warmup:
            return _warm(step, warmup)
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(n_steps - warmup, 1)))


class SlantedTriangularCurve(Spec):
    """A short rise and a long fall (ULMFiT: Howard & Ruder 2018, section 3.2, equation 3)."""

    kind: Literal["slanted_triangular"] = "slanted_triangular"
    cut_frac: Annotated[float, Field(gt=0, lt=1)] = 0.1
    ratio: Annotated[float, Field(ge=1)] = 32.0

    def at(self, step: int, n_steps: int, n_epochs: int) -> float:
        """Return the multiplier of step 0 … n_steps - 1, between 1/ratio and 1."""
        cut = max(1, math.floor(n_steps * self.cut_frac))
        p = step / cut if step < cut else 1 - (step - cut) / max(n_steps - cut, 1)
        return (1 + p * (self.ratio - 1)) / self.ratio


class ExponentialCurve(Spec):
    """The same within an epoch, and `decay` times the one before from epoch to epoch."""

    kind: Literal["exponential"] = "exponential"
    decay: Annotated[float, Field(gt=0, le=1)] = 0.9

    def at(self, step: int, n_steps: int, n_epochs: int) -> float:
        """Return the multiplier of step 0 … n_steps - 1."""
        return self.decay ** (step * n_epochs // n_steps)


Curve = Annotated[
    ConstantCurve | LinearCurve | CosineCurve | SlantedTriangularCurve | ExponentialCurve, Field(discriminator="kind")
]


def _warm(step: int, warmup: int) -> float:
    return step / warmup
