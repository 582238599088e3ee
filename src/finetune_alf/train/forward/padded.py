"""PaddedForward: any encoder, through transformers' own forward, padded to the longest text of a batch."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from finetune_alf.encoder.fp32_types import supported_autocast
from finetune_alf.encoder.text_heads import Head, head_of
from finetune_alf.recipe import Pooling
from finetune_alf.train.forward.packed import FrozenFeatures
from finetune_alf.train.forward.table import TokenTable


class PaddedForward:
    """The forward pass of any sequence classifier of transformers: its own, or the mean of the tokens and its head."""

    layout = "padded"

    def __init__(self, model: Any, pooling: Pooling = "first", head: Head | None = None) -> None:
        """Wrap a model; EncoderError where the mean cannot be given to its head. Another head reads the mean."""
        self.model, self._head = model, None if pooling == "first" else head or head_of(model)

    def __call__(self, table: TokenTable, rows: Sequence[int], features: FrozenFeatures | None = None) -> torch.Tensor:
        """Return the logits of these texts, (rows, classes)."""
        return self.logits(table, padded(table, rows), features)

    def prepare(self, table: TokenTable, batches: Sequence[Sequence[int]]) -> list[dict[str, torch.Tensor]]:
        """Pad batches of rows, each to its longest text."""
        return [padded(table, rows) for rows in batches]

    def logits(
        self, table: TokenTable, inputs: dict[str, torch.Tensor], features: FrozenFeatures | None = None
    ) -> torch.Tensor:
        """Return the logits of padded inputs, (rows, classes)."""
        if self._head is not None:
            return self._head(self.model, self._mean(inputs))
        with supported_autocast(self.model):
            logits: torch.Tensor = self.model(**inputs).logits
        return logits

    def last_hidden_state(self, table: TokenTable) -> torch.Tensor:
        """Return the top layer's output for every token of a table, (T, H), all texts in one batch."""
        inputs = padded(table, range(len(table)))
        return self._hidden_state(inputs)[inputs["attention_mask"].bool()]

    def _mean(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the mean of the top layer over the tokens of each text, (rows, H)."""
        hidden_state = self._hidden_state(inputs)
        mask = inputs["attention_mask"][..., None].to(hidden_state.dtype)
        mean: torch.Tensor = (hidden_state * mask).sum(1) / mask.sum(1)
        return mean

    def _hidden_state(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the top layer's output, padded, (rows, tokens, H)."""
        with supported_autocast(self.model):
            output: torch.Tensor = self.model.base_model(**inputs).last_hidden_state
        return output

    def frozen_features(self, table: TokenTable, level: int, batches: Sequence[Sequence[int]]) -> FrozenFeatures | None:
        """Return None: transformers' forward starts from tokens only."""
        return None

    def restrict_vocabulary(self, tables: Iterable[TokenTable]) -> AbstractContextManager[None]:
        """Change nothing: some models use a word's id for more than its embedding."""
        return nullcontext()


def padded(table: TokenTable, rows: Sequence[int]) -> dict[str, torch.Tensor]:
    """Return the model's inputs for these rows, padded to the longest of them: (rows, tokens) each."""
    slices = [slice(int(table.starts[row]), int(table.starts[row] + table.lengths[row])) for row in rows]
    ids = [table.input_ids[text] for text in slices]
    inputs = {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=table.pad_token_id),
        "attention_mask": pad_sequence([torch.ones_like(text) for text in ids], batch_first=True),
    }
    if table.token_type_ids is not None:
        inputs["token_type_ids"] = pad_sequence([table.token_type_ids[text] for text in slices], batch_first=True)
    return inputs
