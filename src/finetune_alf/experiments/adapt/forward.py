"""The logits of masked tokens: by the packed forward pass where it fits the encoder, else by that of transformers.

In both, the decoder, the largest product of a small encoder, computes masked tokens only.
"""

from collections.abc import Iterator
from typing import Protocol

import torch

from finetune_alf.encoder.masked_lm import MaskedLanguageModel
from finetune_alf.encoder.text_heads import Head, Module
from finetune_alf.experiments.adapt.batch import DECODER_CHUNK, MaskedBatch
from finetune_alf.train.forward.agreement import is_packed
from finetune_alf.train.forward.device_copy import to_device
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.table import TokenTable


class MlmForward(Protocol):
    """The forward pass of a masked language model."""

    masked_lm: MaskedLanguageModel

    def __call__(self, batch: MaskedBatch) -> Iterator[torch.Tensor]:
        """Yield the logits at the batch's positions, (DECODER_CHUNK, V) at a time."""
        ...


class PackedMlmForward:
    """The packed forward pass, followed by the masked language modelling head of the family."""

    def __init__(self, masked_lm: MaskedLanguageModel, seed: int) -> None:
        """Take a model; the seed is that of its dropout."""
        self.masked_lm, self._forward = masked_lm, PackedForward(masked_lm.model, seed)
        self._head = HEADS[masked_lm.model.config.model_type]

    def __call__(self, batch: MaskedBatch) -> Iterator[torch.Tensor]:
        """Yield the logits, (DECODER_CHUNK, V) each."""
        masked_lm, lengths = self.masked_lm, batch.is_token.sum(1)
        input_ids = to_device(batch.input_ids[batch.is_token], masked_lm.device)
        index_in_table = batch.is_token.flatten().cumsum(0) - 1
        positions = to_device(index_in_table[batch.positions], masked_lm.device)
        hidden_state = self._forward.last_hidden_state(
            TokenTable(input_ids, None, lengths, lengths.cumsum(0) - lengths, masked_lm.pad_token_id)
        )
        for chunk in torch.split(positions, DECODER_CHUNK):
            yield self._head(masked_lm.model, hidden_state[chunk])


class PaddedMlmForward:
    """The forward pass of transformers; its dropout draws on torch's global state."""

    def __init__(self, masked_lm: MaskedLanguageModel) -> None:
        self.masked_lm = masked_lm

    def __call__(self, batch: MaskedBatch) -> Iterator[torch.Tensor]:
        """Yield the logits, (DECODER_CHUNK, V) each."""
        tensors = (to_device(x, self.masked_lm.device) for x in (batch.input_ids, batch.is_token, batch.positions))
        yield from torch.split(self.masked_lm.logits_at(*tensors), DECODER_CHUNK)


def mlm_forward_of(masked_lm: MaskedLanguageModel, seed: int) -> MlmForward:
    """Return the packed forward pass where it computes what transformers does; the seed is that of its dropout."""
    packed = is_packed(masked_lm.model, masked_lm.identity)
    return PackedMlmForward(masked_lm, seed) if packed else PaddedMlmForward(masked_lm)


def _distilbert(model: Module, hidden_state: torch.Tensor) -> torch.Tensor:
    transformed = model.vocab_layer_norm(model.activation(model.vocab_transform(hidden_state)))
    logits: torch.Tensor = model.vocab_projector(transformed)
    return logits


def _electra(model: Module, hidden_state: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model.generator_lm_head(model.generator_predictions(hidden_state))
    return logits


def _bert(model: Module, hidden_state: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model.cls(hidden_state)
    return logits


def _roberta(model: Module, hidden_state: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model.lm_head(hidden_state)
    return logits


HEADS: dict[str, Head] = {
    "bert": _bert,
    "electra": _electra,
    "distilbert": _distilbert,
    "roberta": _roberta,
    "xlm-roberta": _roberta,
    "camembert": _roberta,
}
"""The head, (n, H) -> (n, V), by `config.model_type`; all families of the packed forward pass have one."""
