"""The module paths of each encoder family that the packed forward pass knows: differences as a table."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Family:
    """Module paths, relative to the base model or to a layer.

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
    n_heads: str = "num_attention_heads"
    hidden_dropout: str = "hidden_dropout_prob"
    attention_dropout: str = "attention_probs_dropout_prob"
    positions_follow_padding_id: bool = False
    has_attention_output_dropout: bool = True


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
_ROBERTA = Family(**_BERT, positions_follow_padding_id=True)

FAMILIES: dict[str, Family] = {
    "bert": Family(**_BERT),
    "electra": Family(**_BERT),
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
        n_heads="n_heads",
        hidden_dropout="dropout",
        attention_dropout="attention_dropout",
        has_attention_output_dropout=False,
    ),
}
"""By `config.model_type`. MiniLM is a BERT."""
