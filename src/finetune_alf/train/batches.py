"""Texts in steps: the order in which a fit sees them, and the tensors that a forward pass takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

from finetune_alf.encoder.tokens import Tokens
from finetune_alf.seeds import child_seed


@dataclass(frozen=True)
class Labelled:
    """A split, tokenised, with its classes."""

    tokens: Tokens
    labels: torch.Tensor  # (n,) int64

    def __len__(self) -> int:
        return len(self.labels)


def shuffled_batches(n_texts: int, batch: int, seed: int, epoch: int) -> Iterator[list[int]]:
    """Yield the rows of each step of an epoch; every text once, in an order of its own for each epoch."""
    generator = torch.Generator().manual_seed(child_seed(seed, "order", epoch))
    order = torch.randperm(n_texts, generator=generator).tolist()
    for start in range(0, n_texts, batch):
        yield order[start : start + batch]


def batches_by_length(tokens: Tokens, batch: int) -> Iterator[list[int]]:
    """Yield rows of similar length together, for evaluation, where the order does not matter."""
    order = sorted(range(len(tokens.ids)), key=lambda row: len(tokens.ids[row]))
    for start in range(0, len(order), batch):
        yield order[start : start + batch]


def padded(tokens: Tokens, rows: Sequence[int], device: torch.device) -> dict[str, torch.Tensor]:
    """Return the model's inputs for these rows, padded to the longest of them: (rows, tokens) each."""
    ids = [torch.tensor(tokens.ids[row]) for row in rows]
    inputs = {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=tokens.pad_id),
        "attention_mask": pad_sequence([torch.ones_like(text) for text in ids], batch_first=True),
    }
    if tokens.types is not None:
        inputs["token_type_ids"] = pad_sequence([torch.tensor(tokens.types[row]) for row in rows], batch_first=True)
    return {name: tensor.to(device) for name, tensor in inputs.items()}
