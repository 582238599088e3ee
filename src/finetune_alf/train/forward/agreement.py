"""Whether the packed forward pass computes what transformers does: compared once for each loaded model.

The family's table of module paths does not know every setting of a config: a decoder's mask hides later tokens, say.
"""

import logging
from typing import Any
from weakref import WeakKeyDictionary

import torch

from finetune_alf.encoder.pretrained import n_positions
from finetune_alf.encoder.tokens import Tokens
from finetune_alf.train.forward.families import FAMILIES
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import padded
from finetune_alf.train.forward.table import TokenTable

logger = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference in the top layer, as a fraction of its largest value: 100 times what rounding in fp32 causes."""

LONGEST = 24
"""Tokens of the longest text that is compared."""

_agrees: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()  # by body: heads of several tasks share one


def is_packed(model: Any, name: str | None = None) -> bool:
    """Return whether the packed forward pass knows a model's family, and computes what transformers does.

    A model where it does not is named in a warning, by `name` or its type.
    """
    if model.config.model_type not in FAMILIES:
        return False
    body = model.base_model
    if body not in _agrees:
        difference, largest = _difference(model)
        _agrees[body] = difference <= TOLERANCE * largest
        if not _agrees[body]:
            logger.warning(
                "%s: the packed forward pass differs from transformers' by up to %.2g in a top layer of values up to "
                "%.2g. Fits of this encoder take the padded forward pass of transformers, which is slower.",
                name or model.config.model_type,
                difference,
                largest,
            )
    return _agrees[body]


@torch.no_grad()
def _difference(model: Any) -> tuple[float, float]:
    """Return how far the two passes are apart in the top layer, without dropout, and its largest value."""
    was_training = model.training
    model.eval()
    try:
        table, forward = _texts(model), PackedForward(model)
        rows = range(len(table))
        inputs = padded(table, rows)
        hidden_state = model.base_model(**inputs).last_hidden_state  # (n, L, H)
        every_token = hidden_state[inputs["attention_mask"].bool()] - forward.last_hidden_state(table)
        first_tokens = hidden_state[:, 0] - forward.frozen_features(table, len(forward.layers), [rows]).values
        difference = max(part.abs().max().item() for part in (every_token, first_tokens))
        return difference, hidden_state.abs().max().item()
    finally:
        model.train(was_training)


def _texts(model: Any) -> TokenTable:
    """Return texts of several lengths, of tokens from all over the vocabulary, in two parts where there are types."""
    longest = min(n_positions(model), LONGEST)
    lengths = [max(longest * quarters // 4, 1) for quarters in (1, 4, 0, 2)]
    words = model.get_input_embeddings()
    padding, n_ids = words.padding_idx or 0, words.num_embeddings
    stride = max(n_ids // sum(lengths), 1)
    ids = [(index * stride + padding) % n_ids for index in range(1, sum(lengths) + 1)]
    ids = [(index + 1) % n_ids if index == padding else index for index in ids]
    starts = [sum(lengths[:row]) for row in range(len(lengths))]
    texts = tuple(tuple(ids[start : start + length]) for start, length in zip(starts, lengths, strict=True))
    types = tuple(tuple(int(index > length // 2) for index in range(length)) for length in lengths)
    type_table = getattr(model.base_model.embeddings, "token_type_embeddings", None)
    takes_types = type_table is not None and type_table.num_embeddings > 1
    return TokenTable.of(Tokens(texts, types if takes_types else None, padding), words.weight.device)
