"""Adapters: small trainable modules inside a frozen encoder. `encoder/adapters/` installs them."""

from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.spec import Spec

Size = Annotated[int, Field(ge=1)]


class HoulsbyAdapter(Spec):
    """Bottlenecks after attention and after the feed-forward block of every layer; the layer norms are trained too.

    Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP", section 2 and figure 2. `width` is the
    size of the bottleneck; the paper has 8, 64 and 256.
    """

    kind: Literal["houlsby"] = "houlsby"
    width: Size = 64
    """The size of the bottleneck."""
    activation: Literal["gelu", "relu"] = "gelu"
    """The activation inside the bottleneck."""


class LoraAdapter(Spec):
    """A low-rank update of each layer's query and value projections, scaled by `alpha` / `rank`; norms are frozen.

    Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4; built by PEFT.
    """

    kind: Literal["lora"] = "lora"
    rank: Size = 8
    """The rank of the update."""
    alpha: Annotated[float, Field(gt=0)] = 16.0
    """The scale of the update, times the rank."""


Adapter = Annotated[HoulsbyAdapter | LoraAdapter, Field(discriminator="kind")]
