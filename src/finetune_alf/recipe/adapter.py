"""Adapters: small modules that learn inside an encoder that stands still. `encoder/adapters/` builds them in."""

from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.spec import Spec

Size = Annotated[int, Field(ge=1)]


class HoulsbyAdapter(Spec):
    """Bottlenecks after attention and after the feed-forward of every layer; the layers' norms learn with them.

    Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP", section 2 and figure 2. `width` is how many
    numbers a token is squeezed into; theirs are 8, 64 and 256.
    """

    kind: Literal["houlsby"] = "houlsby"
    width: Size = 64
    activation: Literal["gelu", "relu"] = "gelu"


class LoraAdapter(Spec):
    """A low-rank change of each layer's query and value projections, scaled by `alpha` / `rank`; norms stand still.

    Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4; built by PEFT.
    """

    kind: Literal["lora"] = "lora"
    rank: Size = 8
    alpha: Annotated[float, Field(gt=0)] = 16.0


Adapter = Annotated[HoulsbyAdapter | LoraAdapter, Field(discriminator="kind")]
