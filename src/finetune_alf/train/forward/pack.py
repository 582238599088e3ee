"""A batch without padding: its tokens, end to end, and the groups of texts whose attention is computed together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch

from finetune_alf.train.forward.device_copy import all_to_device
from finetune_alf.train.forward.table import TokenTable

GROUP_COST = {"cpu": 16_384, "cuda": 1_048_576}
"""Cost of one more attention group, in attention scores: with less padding than this, texts share a group.

On CUDA an estimate: a group is some 25 more kernels a layer and step, in whose time a large GPU computes about so many
scores of 12 heads. Other devices take the value of the CPU.
"""

MAX_GROUP_SCORES = {"cpu": 131_072}
"""Scores of one head in a group at most, by device: on a CPU they should fit into its cache."""

PAD_TO_MULTIPLE_OF = 8
"""The sides of padded blocks are multiples of this, for the reason that `round_up` gives."""


@dataclass(frozen=True)
class Group:
    """Texts of similar length; their attention is computed in one padded block, (n, longest)."""

    n_texts: int
    n_tokens: int
    longest: int
    block_index: torch.Tensor | None  # (tokens,) index of each token in the flat block; None without padding
    bias: torch.Tensor | None  # (n, 1, 1, longest) 0 for tokens, a large negative number for padding

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The tensors that are there."""
        return tuple(tensor for tensor in (self.block_index, self.bias) if tensor is not None)

    def with_tensors(self, tensors: Iterator[torch.Tensor]) -> "Group":
        """Return the group with copies of its tensors, taken in their order."""
        return replace(self, block_index=next(tensors), bias=next(tensors)) if self.tensors else self


@dataclass(frozen=True)
class PackedBatch:
    """A batch as one row of T tokens of B texts, the longest text first, and `n_filler` unused tokens at the end."""

    token_index: torch.Tensor  # (T,) index of each token in the split's table
    position_ids: torch.Tensor  # (T,) from 0 in each text
    first_index: torch.Tensor  # (B,) index of each text's first token in the row
    rows: torch.Tensor  # (B,) row of each text in the split
    lengths: torch.Tensor  # (B,) number of tokens of each text
    inverse_order: torch.Tensor  # (B,) index of each requested row among the sorted texts
    groups: tuple[Group, ...]
    n_filler: int

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All tensors, those of the groups last."""
        own = (getattr(self, name) for name in _OWN_TENSORS)
        return (*own, *(tensor for group in self.groups for tensor in group.tensors))

    def with_tensors(self, tensors: Iterator[torch.Tensor]) -> "PackedBatch":
        """Return the batch with copies of its tensors, taken in their order."""
        own: dict[str, Any] = {name: next(tensors) for name in _OWN_TENSORS}
        return replace(self, **own, groups=tuple(group.with_tensors(tensors) for group in self.groups))


_OWN_TENSORS = ("token_index", "position_ids", "first_index", "rows", "lengths", "inverse_order")


def pack(table: TokenTable, rows: Sequence[int], *, is_padded: bool = True) -> PackedBatch:
    """Pack some rows of a split.

    Unless it `is_padded`, only texts of equal length share a group, and nothing is rounded up.
    """
    return pack_all(table, [rows], is_padded=is_padded)[0]


def pack_all(table: TokenTable, batches: Sequence[Sequence[int]], *, is_padded: bool = True) -> list[PackedBatch]:
    """Pack several batches of a split: sorted and counted on the CPU, copied to the device together."""
    packed = [_pack_on_cpu(table, rows, is_padded) for rows in batches]
    copies = iter(all_to_device([tensor for batch in packed for tensor in batch.tensors], table.device))
    return [batch.with_tensors(copies) for batch in packed]


def _pack_on_cpu(table: TokenTable, rows: Sequence[int], is_padded: bool) -> PackedBatch:
    requested = torch.as_tensor(rows)
    order = table.lengths[requested].argsort(descending=True, stable=True)
    sorted_rows = requested[order]
    lengths = table.lengths[sorted_rows]
    first_index = lengths.cumsum(0) - lengths
    text_of = torch.repeat_interleave(torch.arange(len(rows)), lengths)  # (T,)
    position_ids = torch.arange(len(text_of)) - first_index[text_of]
    token_index = table.starts[sorted_rows][text_of] + position_ids
    if is_padded:
        slices, multiple = _groups_on(table.device.type, lengths.tolist()), PAD_TO_MULTIPLE_OF
    else:
        slices, multiple = equal_lengths(lengths.tolist()), 1
    group_lengths = [lengths[texts] for texts in slices]
    group_positions = torch.split(position_ids, [int(some.sum()) for some in group_lengths])
    groups = tuple(_group(*both, multiple) for both in zip(group_lengths, group_positions, strict=True))
    inverse_order = torch.empty_like(order)
    inverse_order[order] = torch.arange(len(rows))
    n_filler = round_up(len(token_index)) - len(token_index) if is_padded else 0
    token_index, position_ids = (torch.cat([part, part.new_zeros(n_filler)]) for part in (token_index, position_ids))
    return PackedBatch(token_index, position_ids, first_index, sorted_rows, lengths, inverse_order, groups, n_filler)


def round_up(n_tokens: int) -> int:
    """Round up to a number of which there are only 32 between a power of two and its double.

    Libraries for matrix products keep code and memory for every shape that they have seen. If each batch had its own
    shape, a long study would fill the memory.
    """
    unit = 1 << max(n_tokens.bit_length() - 6, 0)
    return -(-n_tokens // unit) * unit


def group_texts(lengths: Sequence[int], cost: int, max_scores: int | None = None) -> list[slice]:
    """Split texts, longest first, into groups, so that padding and the number of groups together cost little.

    Padding text i to the longest of its group wastes longest**2 - lengths[i]**2 scores; a group of its own costs
    `cost`. Greedy: a text starts a new group once the waste in the current one exceeds that, or the group would have
    more than `max_scores` scores.
    """
    groups, start, wasted = [], 0, 0
    for index, length in enumerate(lengths):
        wasted += lengths[start] ** 2 - length**2
        is_full = max_scores is not None and index > start and (index - start + 1) * lengths[start] ** 2 > max_scores
        if wasted > cost or is_full:
            groups.append(slice(start, index))
            start, wasted = index, 0
    return [*groups, slice(start, len(lengths))]


def _groups_on(device_type: str, lengths: Sequence[int]) -> list[slice]:
    cost = GROUP_COST.get(device_type, GROUP_COST["cpu"])
    return group_texts(lengths, cost, MAX_GROUP_SCORES.get(device_type))


def equal_lengths(lengths: Sequence[int]) -> list[slice]:
    """Split texts, longest first, into groups of one length each."""
    starts = [index for index, length in enumerate(lengths) if index == 0 or length != lengths[index - 1]]
    return [slice(*ends) for ends in pairwise([*starts, len(lengths)])]


def _group(lengths: torch.Tensor, position_ids: torch.Tensor, multiple: int) -> Group:
    n_tokens, longest = len(position_ids), -(-int(lengths[0]) // multiple) * multiple
    if n_tokens == longest * len(lengths):
        return Group(len(lengths), n_tokens, longest, None, None)
    text_of = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    block_index = text_of * longest + position_ids
    padding = torch.arange(longest)[None, :] >= lengths[:, None]  # (n, longest)
    bias = torch.zeros(padding.shape).masked_fill_(padding, torch.finfo(torch.float32).min)
    return Group(len(lengths), n_tokens, longest, block_index, bias[:, None, None, :])
