"""The modules of a layer that adapters are added to, as one table for all families of encoders."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from finetune_alf.errors import EncoderError

if TYPE_CHECKING:
    from torch import nn

OUTPUT_PROJECTIONS = (
    ("attention.output.dense", "output.dense"),  # BERT, RoBERTa, ELECTRA, DeBERTa and relatives
    ("attention.out_lin", "ffn.lin2"),  # DistilBERT
    ("attn.Wo", "mlp.Wo"),  # ModernBERT
    ("attention.attn.o", "output.dense"),  # MPNet
    ("albert_layers.0.attention.dense", "albert_layers.0.ffn_output"),  # ALBERT
)
"""Paths in a layer of the last projections of attention and feed-forward, before the residual connection."""

QUERY_AND_VALUE = (
    ("attention.self.query", "attention.self.value"),  # BERT, RoBERTa, ELECTRA and relatives
    ("attention.self.query_proj", "attention.self.value_proj"),  # DeBERTa v2 and v3
    ("attention.q_lin", "attention.v_lin"),  # DistilBERT
    ("attention.attn.q", "attention.attn.v"),  # MPNet
    ("albert_layers.0.attention.query", "albert_layers.0.attention.value"),  # ALBERT
)
"""Paths in a layer of the query and value projections, where they are separate linear layers."""

WITHOUT_QUERY_AND_VALUE = frozenset({"deberta", "modernbert"})
"""Model types whose query, key and value are one linear layer."""


def find_target_modules(layer: "nn.Module", paths: Sequence[tuple[str, str]], wanted: str) -> tuple[str, str]:
    """Return the first pair of paths that a layer has; raises EncoderError, naming `wanted`, when it has none."""
    from torch import nn

    linear = {path for path, module in layer.named_modules() if isinstance(module, nn.Linear)}
    for pair in paths:
        if linear.issuperset(pair):
            return pair
    raise EncoderError(
        f"{type(layer).__name__}: must have {wanted}, but has none of {'; '.join(' and '.join(p) for p in paths)}. "
        "Use another adapter, or an encoder of the BERT family."
    )
