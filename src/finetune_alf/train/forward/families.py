"""The module paths of each encoder family that the packed forward pass knows, and all known heads, as tables."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

Module = Any  # transformers' modules come without types
Head = Callable[[Module, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Family:
    """Module paths, relative to the base model or to a layer, and the head on one vector a text.

    `positions_follow_padding_id`: position ids start at the padding id plus one, and padding ids inside a text are
    not counted. `has_attention_output_dropout`: hidden dropout also applies to the attention output, before it is
    added and normalised.
    """

    layers: str
    query: str
    key: str
    value: str
    attention_output: str
    attention_norm: str
    intermediate: str
    activation: str
    output: str
    output_norm: str
    head: Head
    n_heads: str = "num_attention_heads"
    hidden_dropout: str = "hidden_dropout_prob"
    attention_dropout: str = "attention_probs_dropout_prob"
    positions_follow_padding_id: bool = False
    has_attention_output_dropout: bool = True


def _bert_head(model: Module, text: torch.Tensor) -> torch.Tensor:
    """BERT: pooler, dropout, classifier."""
    logits: torch.Tensor = model.classifier(model.dropout(model.base_model.pooler(text[:, None])))
    return logits


def _first_token_head(model: Module, text: torch.Tensor) -> torch.Tensor:
    """RoBERTa, ELECTRA, MPNet: a head that takes the first token itself."""
    logits: torch.Tensor = model.classifier(text[:, None])
    return logits


def _distilbert_head(model: Module, text: torch.Tensor) -> torch.Tensor:
    """DistilBERT: a linear layer, ReLU, dropout, classifier."""
    logits: torch.Tensor = model.classifier(model.dropout(F.relu(model.pre_classifier(text))))
    return logits


def _albert_head(model: Module, text: torch.Tensor) -> torch.Tensor:
    """ALBERT: a linear pooler and its activation, dropout, classifier."""
    body = model.base_model
    logits: torch.Tensor = model.classifier(model.dropout(body.pooler_activation(body.pooler(text))))
    return logits


def _deberta_head(model: Module, text: torch.Tensor) -> torch.Tensor:
    """DeBERTa: a pooler outside the body, dropout, classifier."""
    logits: torch.Tensor = model.classifier(model.dropout(model.pooler(text[:, None])))
    return logits


def _modernbert_head(model: Module, text: torch.Tensor) -> torch.Tensor:
    """ModernBERT: a head of its own, dropout, classifier."""
    logits: torch.Tensor = model.classifier(model.drop(model.head(text)))
    return logits


_BERT: dict[str, Any] = {
    "layers": "encoder.layer",
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "activation": "intermediate.intermediate_act_fn",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}
_ROBERTA = Family(**_BERT, head=_first_token_head, positions_follow_padding_id=True)

FAMILIES: dict[str, Family] = {
    "bert": Family(**_BERT, head=_bert_head),
    "electra": Family(**_BERT, head=_first_token_head),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "distilbert": Family(
        layers="transformer.layer",
        query="attention.q_lin",
        key="attention.k_lin",
        value="attention.v_lin",
        attention_output="attention.out_lin",
        attention_norm="sa_layer_norm",
        intermediate="ffn.lin1",
        activation="ffn.activation",
        output="ffn.lin2",
        output_norm="output_layer_norm",
        head=_distilbert_head,
        n_heads="n_heads",
        hidden_dropout="dropout",
        attention_dropout="attention_dropout",
        has_attention_output_dropout=False,
    ),
}
"""By `config.model_type`. MiniLM is a BERT."""


def no_head(model: Module, text: torch.Tensor) -> torch.Tensor:
    """Return the features of texts themselves."""
    return text


HEADS: dict[str, Head] = {
    **{model_type: family.head for model_type, family in FAMILIES.items()},
    "albert": _albert_head,
    "deberta": _deberta_head,
    "deberta-v2": _deberta_head,
    "modernbert": _modernbert_head,
    "mpnet": _first_token_head,
}
"""By `config.model_type`: (n, H) -> (n, outputs), as transformers runs it on the first token."""
