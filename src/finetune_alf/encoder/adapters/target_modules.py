"""Where in a layer adapters go, family by family: differences as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from finetune_alf.errors import EncoderError

if TYPE_CHECKING:
    from torch import nn

OUTPUTS = (
    ("attention.output.dense", "output.dense"),  # BERT, RoBERTa, ELECTRA, DeBERTa and their kin
    ("attention.out_lin", "ffn.lin2"),  # DistilBERT
    ("attn.Wo", "mlp.Wo"),  # ModernBERT
    ("attention.attn.o", "output.dense"),  # MPNet
    ("albert_layers.0.attention.dense", "albert_layers.0.ffn_output"),  # ALBERT
)
"""Paths inside a layer of the projections that end attention and feed-forward; what they give is added and normed."""

PROJECTIONS = (
    ("attention.self.query", "attention.self.value"),  # BERT, RoBERTa, ELECTRA and their kin
    ("attention.self.query_proj", "attention.self.value_proj"),  # DeBERTa v2 and v3
    ("attention.q_lin", "attention.v_lin"),  # DistilBERT
    ("attention.attn.q", "attention.attn.v"),  # MPNet
    ("albert_layers.0.attention.query", "albert_layers.0.attention.value"),  # ALBERT
)
"""Paths inside a layer of the query and value projections, where they are linear layers of their own."""


def find(layer: "nn.Module", places: Sequence[tuple[str, str]], wanted: str) -> tuple[str, str]:
    """Return the first pair of paths that a layer has; EncoderError, naming what is wanted, when it has none."""
    from torch import nn

    linear = {path for path, module in layer.named_modules() if isinstance(module, nn.Linear)}
    for pair in places:
        if linear.issuperset(pair):
            return pair
    raise EncoderError(
        f"{type(layer).__name__}: must have {wanted}, but has none of {'; '.join(' and '.join(p) for p in places)}. "
        "Use another adapter, or an encoder of the BERT family."
    )
