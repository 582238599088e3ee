"""What a model says of hidden tokens: by the packed forward pass where its family is known, else by transformers' own.

Either way the decoder, the largest product of a small encoder, sees the hidden tokens alone.
"""

from collections.abc import Iterator
from typing import Protocol

import torch

from finetune_alf.encoder.masked_lm import MaskedLanguageModel
from finetune_alf.experiments.adapt.batch import TOLD_TOGETHER, Batch
from finetune_alf.train.forward.families import Head, Module
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.table import TokenTable


class MaskedForward(Protocol):
    """A model that fills masks."""

    masked_lm: MaskedLanguageModel

    def __call__(self, batch: Batch) -> Iterator[torch.Tensor]:
        """Yield the logits at the batch's places, TOLD_TOGETHER of them at a time, (TOLD_TOGETHER, words)."""
        ...


class PackedMasked:
    """The packed forward pass, and the head of the model's family upon it."""

    def __init__(self, masked_lm: MaskedLanguageModel, seed: int) -> None:
        """Take a model; the seed is that of its dropout."""
        self.masked_lm, self._forward = masked_lm, PackedForward(masked_lm.model, seed)
        self._head = HEADS[masked_lm.model.config.model_type]

    def __call__(self, batch: Batch) -> Iterator[torch.Tensor]:
        """Yield the logits, (TOLD_TOGETHER, words) each."""
        masked_lm, lengths = self.masked_lm, batch.is_token.sum(1)
        ids = sent(batch.ids[batch.is_token], masked_lm.device)
        in_table = batch.is_token.flatten().cumsum(0) - 1
        places = sent(in_table[batch.places], masked_lm.device)
        states = self._forward.last_hidden_state(
            TokenTable(ids, None, lengths, lengths.cumsum(0) - lengths, masked_lm.pad_token_id)
        )
        for some in torch.split(places, TOLD_TOGETHER):
            yield self._head(masked_lm.model, states[some])


class PaddedMasked:
    """Transformers' own forward pass; its dropout draws on torch's global state."""

    def __init__(self, masked_lm: MaskedLanguageModel) -> None:
        self.masked_lm = masked_lm

    def __call__(self, batch: Batch) -> Iterator[torch.Tensor]:
        """Yield the logits, (TOLD_TOGETHER, words) each."""
        ids, is_token, places = (
            sent(tensor, self.masked_lm.device) for tensor in (batch.ids, batch.is_token, batch.places)
        )
        yield from torch.split(self.masked_lm.logits_at(ids, is_token, places), TOLD_TOGETHER)


def masked_forward_of(masked_lm: MaskedLanguageModel, seed: int) -> MaskedForward:
    """Return the packed forward where the family is known; the seed is that of its dropout."""
    return PackedMasked(masked_lm, seed) if is_packed(masked_lm) else PaddedMasked(masked_lm)


def is_packed(masked_lm: MaskedLanguageModel) -> bool:
    """Tell whether a model's texts go packed."""
    return masked_lm.model.config.model_type in HEADS


def sent(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Send a tensor to the device without waiting for what it is doing."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _distilbert(model: Module, states: torch.Tensor) -> torch.Tensor:
    told: torch.Tensor = model.vocab_projector(model.vocab_layer_norm(model.activation(model.vocab_transform(states))))
    return told


def _electra(model: Module, states: torch.Tensor) -> torch.Tensor:
    told: torch.Tensor = model.generator_lm_head(model.generator_predictions(states))
    return told


def _bert(model: Module, states: torch.Tensor) -> torch.Tensor:
    told: torch.Tensor = model.cls(states)
    return told


def _roberta(model: Module, states: torch.Tensor) -> torch.Tensor:
    told: torch.Tensor = model.lm_head(states)
    return told


HEADS: dict[str, Head] = {
    "bert": _bert,
    "electra": _electra,
    "distilbert": _distilbert,
    "roberta": _roberta,
    "xlm-roberta": _roberta,
    "camembert": _roberta,
}
"""What a head makes of (n, hidden), by `config.model_type`: the families of the packed forward pass, each of them."""
