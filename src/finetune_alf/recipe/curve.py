"""Curves: the multiplier of all learning rates at each step of a fit, in [0, 1].

`at(step, n_steps, n_epochs)` takes the step, from 0, the number of steps of the whole fit, and its number of epochs,
which have equally many steps.
"""

import math
from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.spec import Spec

Frac = Annotated[float, Field(ge=0, lt=1)]


class ConstantCurve(Spec):
    """Always 1."""

    kind: Literal["constant"] = "constant"

    def at(self, step: int, n_steps: int, n_epochs: int) -> float:
        """Return the multiplier of a step."""
        return 1.0


class LinearCurve(Spec):
    """Linear warm-up, then linear decay to zero."""

    kind: Literal["linear"] = "linear"
    warmup_frac: Frac = 0.0

    def at(self, step: int, n_steps: int, n_epochs: int) -> float:
        """Return the multiplier of a step."""
        warmup = math.ceil(self.warmup_frac * n_steps)
        return step / warmup if step < warmup else (n_steps - step) / max(n_steps - warmup, 1)


class CosineCurve(Spec):
    """Linear warm-up, then decay to zero along half a cosine (Loshchilov & Hutter 2017)."""

    kind: Literal["cosine"] = "cosine"
    warmup_frac: Frac = 0.0

    def at(self, step: int, n_steps: int, n_epochs: int) -> float:
        """Return the multiplier of a step."""
        warmup = math.ceil(self.warmup_frac * n_steps)
        if step < warmup:
            return step / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(n_steps - warmup, 1)))


class SlantedTriangularCurve(Spec):
    """A short linear increase and a long linear decay (ULMFiT: Howard & Ruder 2018, section 3.2, equation 3)."""

    kind: Literal["slanted_triangular"] = "slanted_triangular"
    cut_frac: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """The fraction of the steps over which rates rise."""
    ratio: Annotated[float, Field(ge=1)] = 32.0
    """How many times lower the lowest rate is than the highest."""

    def at(self, step: int, n_steps: int, n_epochs: int) -> float:
        """Return the multiplier of a step, between 1/ratio and 1."""
        cut = max(1, math.floor(n_steps * self.cut_frac))
        p = step / cut if step < cut else 1 - (step - cut) / max(n_steps - cut, 1)
        return (1 + p * (self.ratio - 1)) / self.ratio


class ExponentialCurve(Spec):
    """Constant within an epoch, and multiplied by `decay` after each epoch."""

    kind: Literal["exponential"] = "exponential"
    decay: Annotated[float, Field(gt=0, le=1)] = 0.9

    def at(self, step: int, n_steps: int, n_epochs: int) -> float:
        """Return the multiplier of a step."""
        return self.decay ** (step * n_epochs // n_steps)


Curve = Annotated[
    ConstantCurve | LinearCurve | CosineCurve | SlantedTriangularCurve | ExponentialCurve, Field(discriminator="kind")
]
