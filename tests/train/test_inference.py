"""The forward pass of texts that are only evaluated: the same logits, nothing padded, batches by tokens."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf.train.forward.inference import InferenceForward, inference_batches, inference_forward
from finetune_alf.train.forward.pack import pack
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from tiny_families import PACKED, table_of, tiny_encoder

LENGTHS = (5, 1, 22, 9, 9, 2)


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("family", PACKED)
def test_logits_are_those_of_the_packed_forward_pass(family, pooling):
    encoder = tiny_encoder(family)
    model, table = encoder.model.eval(), table_of(encoder, LENGTHS)
    with torch.inference_mode():
        own = InferenceForward(model, pooling, torch.float64)(table, [3, 0, 2, 5, 4, 1])
        expected = PackedForward(model, 0, pooling)(table, [3, 0, 2, 5, 4, 1])
    assert torch.allclose(own, expected, rtol=1e-11, atol=1e-12)


def test_an_encoder_that_is_not_packed_takes_the_forward_pass_of_transformers():
    assert isinstance(inference_forward(tiny_encoder("albert").model, "a", "first", torch.float64), PaddedForward)
    assert isinstance(inference_forward(tiny_encoder("bert").model, "a", "first", torch.float64), InferenceForward)


def test_texts_of_one_length_share_a_group_and_nothing_is_padded():
    batch = pack(table_of(tiny_encoder("bert"), LENGTHS), range(len(LENGTHS)), is_padded=False)
    assert [(group.longest, group.n_texts) for group in batch.groups] == [(22, 1), (9, 2), (5, 1), (2, 1), (1, 1)]
    assert all(group.bias is None and group.block_index is None for group in batch.groups)
    assert (batch.n_filler, len(batch.token_index)) == (0, sum(LENGTHS))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 8), st.integers(1, 100))
def test_batches_hold_every_text_once_by_length_within_both_limits(lengths, batch, max_tokens):
    batches = inference_batches(torch.tensor(lengths), batch, max_tokens)
    rows = [row for own in batches for row in own]
    assert sorted(rows) == list(range(len(lengths)))
    assert [lengths[row] for row in rows] == sorted(lengths, reverse=True)
    assert all(len(own) <= batch for own in batches)
    assert all(len(own) == 1 or sum(lengths[row] for row in own) <= max_tokens for own in batches)


def test_without_a_limit_of_tokens_batches_are_as_large_as_they_may_be():
    assert inference_batches(torch.tensor([3, 9, 1]), 2, None) == [[1, 0], [2]]
