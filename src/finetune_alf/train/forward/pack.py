"""A batch without padding: which tokens it takes, and which of its texts attend together."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from finetune_alf.train.forward.table import TokenTable

GROUP_COST = 16_384
"""What one more attention group costs, in attention scores: below it, padding is cheaper than a group of its own."""

LARGEST_GROUP = {"cpu": 131_072}
"""How many scores a head may have in a group, by device: on a CPU the passes over them should stay in its cache."""

BOX_UNIT = 8
"""The sides of boxes are multiples of this, for the reason that `round_up` gives."""


@dataclass(frozen=True)
class Group:
    """Texts of similar length, whose attention is computed in one padded box of (n, longest)."""

    n_texts: int
    n_tokens: int
    longest: int
    places: torch.Tensor | None  # (tokens,) each token's place in the box; None where the box has no padding
    bias: torch.Tensor | None  # (n, 1, 1, longest) 0 for tokens, a large negative number for padding


@dataclass(frozen=True)
class Pack:
    """A batch as one row of T tokens of B texts, the longest text first, and `n_fill` tokens that nobody reads."""

    gather: torch.Tensor  # (T,) each token's place in the split's table
    positions: torch.Tensor  # (T,) from 0 in each text
    first: torch.Tensor  # (B,) where each text's first token stands in the row
    rows: torch.Tensor  # (B,) which text of the split each one is
    back: torch.Tensor  # (B,) where each asked-for row stands among the texts
    groups: tuple[Group, ...]
    n_fill: int


def pack(table: TokenTable, rows: Sequence[int]) -> Pack:
    """Plan a batch; all sorting and counting is done on the CPU, and sent to the device once."""
    asked = torch.as_tensor(rows)
    order = table.lengths[asked].argsort(descending=True, stable=True)
    sorted_rows = asked[order]
    lengths = table.lengths[sorted_rows]
    first = lengths.cumsum(0) - lengths
    text_of = torch.repeat_interleave(torch.arange(len(rows)), lengths)  # (T,)
    positions = torch.arange(len(text_of)) - first[text_of]
    gather = table.starts[sorted_rows][text_of] + positions
    largest = LARGEST_GROUP.get(table.device.type)
    together = [lengths[texts] for texts in group_texts(lengths.tolist(), largest)]
    in_groups = torch.split(positions, [int(some.sum()) for some in together])
    groups = tuple(_group(some, within, table.device) for some, within in zip(together, in_groups, strict=True))
    back = torch.empty_like(order)
    back[order] = torch.arange(len(rows))
    n_fill = round_up(len(gather)) - len(gather)
    gather, positions = (torch.cat([part, part.new_zeros(n_fill)]) for part in (gather, positions))
    device = table.device
    return Pack(
        gather.to(device),
        positions.to(device),
        first.to(device),
        sorted_rows.to(device),
        back.to(device),
        groups,
        n_fill,
    )


def round_up(n_tokens: int) -> int:
    """Return the next number of which there are only 32 between a power of two and its double.

    The libraries behind matrix products keep code and memory for every shape that they have seen: with a shape of its
    own for each batch a long study would fill the memory.
    """
    unit = 1 << max(n_tokens.bit_length() - 6, 0)
    return -(-n_tokens // unit) * unit


def group_texts(lengths: Sequence[int], largest: int | None = None) -> list[slice]:
    """Split texts, longest first, into runs such that padding and the number of groups together cost little.

    Padding text i to the longest of its group wastes longest**2 - lengths[i]**2 scores; a group of its own costs
    GROUP_COST. Greedy: a text opens a new group once the waste since the last opening exceeds that, or the group would
    have more than `largest` scores.
    """
    groups, start, wasted = [], 0, 0
    for index, length in enumerate(lengths):
        wasted += lengths[start] ** 2 - length**2
        is_full = largest is not None and index > start and (index - start + 1) * lengths[start] ** 2 > largest
        if wasted > GROUP_COST or is_full:
            groups.append(slice(start, index))
            start, wasted = index, 0
    return [*groups, slice(start, len(lengths))]


def _group(lengths: torch.Tensor, positions: torch.Tensor, device: torch.device) -> Group:
    n_tokens, longest = len(positions), -(-int(lengths[0]) // BOX_UNIT) * BOX_UNIT
    if n_tokens == longest * len(lengths):
        return Group(len(lengths), n_tokens, longest, None, None)
    text_of = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    places = text_of * longest + positions
    padding = torch.arange(longest)[None, :] >= lengths[:, None]  # (n, longest)
    bias = torch.zeros(padding.shape).masked_fill_(padding, torch.finfo(torch.float32).min)
    return Group(len(lengths), n_tokens, longest, places.to(device), bias[:, None, None, :].to(device))
