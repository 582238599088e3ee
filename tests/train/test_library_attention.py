"""Torch's own attention in training, as on CUDA: the same step without dropout, the same distribution with it."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from test_exactness import assert_same_step, moments, step

from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from tiny_families import PACKED, table_of, tables_of, tiny_encoder


@pytest.fixture
def as_on_cuda(monkeypatch):
    monkeypatch.setattr("finetune_alf.train.forward.block_attention.LIBRARY_ATTENTION", {"cpu"})


@pytest.mark.parametrize("attention", [0.0, 1e-30], ids=["no dropout", "dropout that drops nothing"])
@pytest.mark.parametrize("family", PACKED)
@settings(max_examples=5, deadline=None)
@given(st.data())
def test_it_takes_the_step_of_transformers(family, attention, data):
    encoder = tiny_encoder(family, attention=attention)
    encoder.model.train()
    table = data.draw(tables_of(encoder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("finetune_alf.train.forward.block_attention.LIBRARY_ATTENTION", {"cpu"})
        packed = step(encoder, PackedForward(encoder.model), table)
    assert_same_step(packed, step(encoder, PaddedForward(encoder.model), table))


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_its_dropout_has_the_distribution_of_transformers(family, as_on_cuda):
    encoder = tiny_encoder(family, attention=0.5, dtype=torch.float32)
    table = table_of(encoder, [9, 6], seed=3)
    (mean, error), (other_mean, other_error) = (
        moments(kind, encoder, table) for kind in (PackedForward, PaddedForward)
    )
    assert error.min() > 0  # there is dropout
    assert ((mean - other_mean) / (error**2 + other_error**2).sqrt()).abs().max() < 4


@pytest.mark.parametrize("training", [True, False])
def test_no_kernel_is_chosen_that_prepares_itself_for_each_shape(training, as_on_cuda, monkeypatch):
    encoder, seen = tiny_encoder("bert", attention=0.5), []
    attend = F.scaled_dot_product_attention

    def noting(*args, **kwargs):
        seen.append((torch.backends.cuda.cudnn_sdp_enabled(), torch.backends.cuda.mem_efficient_sdp_enabled()))
        return attend(*args, **kwargs)

    monkeypatch.setattr(F, "scaled_dot_product_attention", noting)
    encoder.model.train(training)
    table, forward = table_of(encoder, [9, 6]), PackedForward(encoder.model)
    forward(table, [0, 1])
    forward.last_hidden_state(table)
    forward.frozen_features(table, len(forward.layers), [[0, 1]])
    assert seen == [(False, True)] * 3 * len(forward.layers)
    assert torch.backends.cuda.cudnn_sdp_enabled()  # as before


def test_evaluation_has_no_dropout(as_on_cuda):
    encoder = tiny_encoder("bert", attention=0.5)
    table, forward = table_of(encoder, [9, 6], seed=3), PackedForward(encoder.model)
    encoder.model.eval()
    with torch.no_grad():
        assert torch.equal(forward(table, [0, 1]), forward(table, [0, 1]))
        encoder.model.train()
        assert not torch.equal(forward(table, [0, 1]), forward(table, [0, 1]))
