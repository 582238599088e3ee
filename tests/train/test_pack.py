"""A packed batch holds every token once, and its attention groups waste little."""

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.train.forward.pack import GROUP_COST, PAD_TO_MULTIPLE_OF, group_texts, pack, round_up
from tiny_families import table_of, tiny_encoder

COST = GROUP_COST["cpu"]
falling = st.lists(st.integers(1, 512), min_size=1, max_size=80).map(lambda lengths: sorted(lengths, reverse=True))
some_rows = st.lists(st.integers(0, 7), min_size=1, max_size=12)


@given(falling)
def test_groups_are_runs_that_hold_every_text_once_in_order(lengths):
    groups = group_texts(lengths, COST)
    assert [index for group in groups for index in range(len(lengths))[group]] == list(range(len(lengths)))
    assert all(group.start < group.stop for group in groups)


@given(falling)
def test_no_group_wastes_more_on_padding_than_a_group_costs(lengths):
    for group in group_texts(lengths, COST):
        longest, *_ = some = lengths[group]
        assert sum(longest**2 - length**2 for length in some) <= COST


@given(falling)
def test_a_group_is_started_only_where_it_saves_its_cost(lengths):
    groups = group_texts(lengths, COST)
    for one, following in itertools.pairwise(groups):
        together = lengths[one.start : following.start + 1]
        assert sum(together[0] ** 2 - length**2 for length in together) > COST


@given(st.integers(1, 512), st.integers(1, 80))
def test_texts_of_one_length_are_one_group_without_padding(length, n_texts):
    assert group_texts([length] * n_texts, COST) == [slice(0, n_texts)]


@given(some_rows, st.integers(1, 600))
@settings(deadline=None)
def test_a_packed_batch_holds_the_tokens_of_each_requested_text(rows, group_cost):
    table = table_of(tiny_encoder("bert"), [5, 1, 22, 9, 9, 2, 14, 22])
    batch = pack(table, rows)
    for place, row in enumerate(rows):
        text = int(batch.inverse_order[place])
        assert int(batch.rows[text]) == row
        span = slice(int(batch.first_index[text]), int(batch.first_index[text] + table.lengths[row]))
        start = int(table.starts[row])
        assert batch.token_index[span].tolist() == list(range(start, start + int(table.lengths[row])))
        assert batch.position_ids[span].tolist() == list(range(int(table.lengths[row])))


@given(some_rows)
@settings(deadline=None)
def test_the_groups_of_a_packed_batch_put_every_token_at_an_index_of_its_own(rows):
    table = table_of(tiny_encoder("bert"), [5, 1, 22, 9, 9, 2, 14, 22])
    batch = pack(table, rows)
    assert sum(group.n_tokens for group in batch.groups) + batch.n_filler == len(batch.token_index)
    together = torch.split(table.lengths[batch.rows], [group.n_texts for group in batch.groups])
    for group, lengths in zip(batch.groups, together, strict=True):
        assert group.n_tokens == lengths.sum()
        assert 0 <= group.longest - lengths.max() < PAD_TO_MULTIPLE_OF
        assert group.longest % PAD_TO_MULTIPLE_OF == 0
        if group.block_index is None:
            assert group.bias is None
            assert (lengths == group.longest).all()
        else:
            n_texts = len(lengths)
            taken = torch.zeros(n_texts * group.longest, dtype=torch.bool)
            taken[group.block_index] = True
            assert taken.sum() == lengths.sum()
            assert torch.equal(taken.view(n_texts, 1, 1, -1), group.bias == 0)


def test_the_padding_id_inside_a_text_has_no_position():
    table = table_of(tiny_encoder("roberta"), [4, 3])
    table.input_ids[:] = torch.tensor([5, table.pad_token_id, 6, 7, table.pad_token_id, 8, 9])
    assert table.non_padding_positions.tolist() == [1, 0, 2, 3, 0, 1, 2]


@given(st.integers(1, 100_000))
def test_a_row_of_tokens_is_filled_by_at_most_a_thirty_second(n_tokens):
    filled = round_up(n_tokens)
    assert n_tokens <= filled <= n_tokens * 33 / 32


def test_many_batches_have_few_shapes():
    assert len({round_up(n_tokens) for n_tokens in range(4096, 8192)}) == 33
