"""The head of a transformers classifier as a function of one vector a text, as it runs on the first token: a table."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.errors import EncoderError

Module = Any  # transformers' modules come without types
Head = Callable[[Module, torch.Tensor], torch.Tensor]
"""Takes the model and vectors (n, H), and returns outputs, (n, outputs)."""


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


def no_head(model: Module, text: torch.Tensor) -> torch.Tensor:
    """Return the features of texts themselves."""
    return text


HEADS: dict[str, Head] = {
    "bert": _bert_head,
    "roberta": _first_token_head,
    "xlm-roberta": _first_token_head,
    "camembert": _first_token_head,
    "electra": _first_token_head,
    "mpnet": _first_token_head,
    "distilbert": _distilbert_head,
    "albert": _albert_head,
    "deberta": _deberta_head,
    "deberta-v2": _deberta_head,
    "modernbert": _modernbert_head,
}
"""By `config.model_type`."""


def head_of(model: Module) -> Head:
    """Return a model's head; EncoderError where it is not known."""
    model_type = model.config.model_type
    if model_type not in HEADS:
        raise EncoderError(
            f"recipe.pooling: must be first for a {model_type} encoder, but got mean. "
            f"The head can read the mean of the tokens in {', '.join(HEADS)}."
        )
    return HEADS[model_type]
