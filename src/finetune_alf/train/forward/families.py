"""Where each family of encoders keeps the modules that a packed forward pass calls: differences as a table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

Module = Any  # transformers' modules come without types
Head = Callable[[Module, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Family:
    """Paths of modules, from the body or from a layer, and how the head reads the first token.

    `counts_from_padding`: positions start one past the padding id, and padding ids inside a text do not count.
    `drops_attention_out`: hidden dropout also falls on what attention gives, before it is added and normed.
    """

    layers: str
    query: str
    key: str
    value: str
    attention_out: str
    attention_norm: str
    inner: str
    activation: str
    outer: str
    outer_norm: str
    head: Head
    n_heads: str = "num_attention_heads"
    hidden_dropout: str = "hidden_dropout_prob"
    attention_dropout: str = "attention_probs_dropout_prob"
    counts_from_padding: bool = False
    drops_attention_out: bool = True


def _pooled(model: Module, first: torch.Tensor) -> torch.Tensor:
    """BERT: pooler, dropout, classifier."""
    logits: torch.Tensor = model.classifier(model.dropout(model.base_model.pooler(first[:, None])))
    return logits


def _head_reads_first(model: Module, first: torch.Tensor) -> torch.Tensor:
    """RoBERTa, ELECTRA: a head that takes the first token itself."""
    logits: torch.Tensor = model.classifier(first[:, None])
    return logits


def _pre_classified(model: Module, first: torch.Tensor) -> torch.Tensor:
    """DistilBERT: a linear layer, ReLU, dropout, classifier."""
    logits: torch.Tensor = model.classifier(model.dropout(F.relu(model.pre_classifier(first))))
    return logits


_BERT: dict[str, Any] = {
    "layers": "encoder.layer",
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "inner": "intermediate.dense",
    "activation": "intermediate.intermediate_act_fn",
    "outer": "output.dense",
    "outer_norm": "output.LayerNorm",
}
_ROBERTA = Family(**_BERT, head=_head_reads_first, counts_from_padding=True)

FAMILIES: dict[str, Family] = {
    "bert": Family(**_BERT, head=_pooled),
    "electra": Family(**_BERT, head=_head_reads_first),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": Family(
        layers="transformer.layer",
        query="attention.q_lin",
        key="attention.k_lin",
        value="attention.v_lin",
        attention_out="attention.out_lin",
        attention_norm="sa_layer_norm",
        inner="ffn.lin1",
        activation="ffn.activation",
        outer="ffn.lin2",
        outer_norm="output_layer_norm",
        head=_pre_classified,
        n_heads="n_heads",
        hidden_dropout="dropout",
        attention_dropout="attention_dropout",
        drops_attention_out=False,
    ),
}
"""By `config.model_type`. MiniLM is a BERT."""
