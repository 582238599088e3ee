"""Optimizers, without learning rates: those are in the recipe's `rates`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finetune_alf.spec import Spec

Decay = Annotated[float, Field(ge=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class AdamW(Spec):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019); biases and norms get no weight decay."""

    kind: Literal["adamw"] = "adamw"
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """The decay of the two running means."""
    eps: Annotated[float, Field(gt=0)] = 1e-8
    """What is added to the denominator."""
    weight_decay: Decay = 0.0
    """The decay of weights; biases and norms have none."""


class SGD(Spec):
    """Stochastic gradient descent, optionally with momentum."""

    kind: Literal["sgd"] = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The momentum."""
    nesterov: bool = False
    """Whether the momentum is Nesterov's."""
    weight_decay: Decay = 0.0
    """The decay of weights; biases and norms have none."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("momentum must be above 0 for nesterov, but got 0")
        return self


Optimizer = Annotated[AdamW | SGD, Field(discriminator="kind")]
