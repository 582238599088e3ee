"""The formulas agree with calculations by hand and with what PyTorch saves for a backward pass."""

from dataclasses import replace

import pytest
import torch
from counted import PACKED, PADDED, Rates, lengths, recipe, table_of, tiny
from hypothesis import given
from hypothesis import strategies as st
from test_flops import SMALL

from finetune_alf.cost.memory import Memory, fit_memory
from finetune_alf.recipe import SGD, AdamW
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.forward.protocol import forward_of


def test_gradients_and_moments_are_those_of_trainable_addresses():
    predicted = fit_memory(SMALL, lengths([3] * 4, n_words=6), recipe(Rates("0011")), PACKED)
    assert predicted.weights == predicted.initial_weights == 4 * (12 + 32 + 32 + 8)
    assert predicted.gradients == 4 * 40
    assert predicted.optimizer == 2 * 4 * 40
    assert predicted.kept_weights == 0
    assert fit_memory(SMALL, lengths([3] * 4), recipe(Rates("0011"), keep="best"), PACKED).kept_weights == 4 * 40
    sgd = recipe(Rates("0011"), optimizer=SGD(momentum=0.9))
    assert fit_memory(SMALL, lengths([3] * 4), sgd, PACKED).optimizer == 4 * 40


@pytest.mark.parametrize(("gradients", "batch", "larger"), [(8, 16, 16), (16, 8, 16)])
def test_the_peak_has_the_larger_one_of_gradients_and_activations(gradients, batch, larger):
    memory = Memory(1, 2, 4, gradients=gradients, batch=batch, frozen_features=32, kept_weights=64)
    assert memory.total == 1 + 2 + 4 + larger + 32 + 64


def test_only_words_that_occur_have_gradients_without_weight_decay():
    restricted = fit_memory(SMALL, lengths([3] * 4, n_words=2), recipe(Rates("1111")), PACKED)
    assert restricted.gradients == 4 * (12 - 4 * 2 + 32 + 32 + 8)
    decayed = recipe(Rates("1111"), optimizer=AdamW(weight_decay=0.1))
    for fit, engine in ((decayed, PACKED), (recipe(Rates("1111")), PADDED)):
        assert fit_memory(SMALL, lengths([3] * 4, n_words=2), fit, engine).gradients == 4 * (12 + 32 + 32 + 8)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("precision", "pooling"), [("fp32", "first"), ("bf16", "first"), ("fp32", "mean")])
def test_a_batch_saves_what_pytorch_saves_for_its_backward_pass(packed, precision, pooling):
    encoder, shape = tiny()
    encoder.model.train()
    texts, kept = [32] * 8, {}
    own = {parameter.data_ptr() for parameter in encoder.model.parameters()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    forward = forward_of(encoder.model, 0, None, pooling) if packed else PaddedForward(encoder.model, pooling)
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        forward(table_of(texts), list(range(len(texts))))
    engine = replace(PACKED if packed else PADDED, bytes_per_number=2 if precision == "bf16" else 4)
    predicted = fit_memory(shape, lengths(texts, [1]), recipe(Rates("11111"), pooling=pooling), engine).batch
    assert predicted == pytest.approx(sum(n_bytes for n_bytes, _ in kept.values()), rel=0.3)


def test_attention_that_keeps_nothing_saves_what_heads_and_token_pairs_take():
    """Of two layers, one is computed for all tokens: with one head, 3 numbers of 4 bytes for each pair of tokens."""
    texts, all_trainable = lengths([9, 5], [1]), recipe(Rates("1111"), batch=2)
    kept, none = (
        fit_memory(SMALL, texts, all_trainable, replace(PACKED, keeps_attention=keeps)).batch for keeps in (True, False)
    )
    assert kept - none == 3 * 4 * (81 + 25)


@given(st.lists(st.booleans(), min_size=3, max_size=3), st.integers(0, 2), st.booleans())
def test_freezing_one_more_address_never_takes_more_memory_for_training(flags, index, packed):
    texts, engine = lengths([9] * 30, [9] * 20), PACKED if packed else PADDED
    before = fit_memory(SMALL, texts, recipe(Rates([*flags, True]), batch=8), engine)
    less = [*flags[:index], False, *flags[index + 1 :]]
    frozen = fit_memory(SMALL, texts, recipe(Rates([*less, True]), batch=8), engine)
    assert frozen.gradients <= before.gradients
    assert frozen.optimizer <= before.optimizer
    assert frozen.batch <= before.batch
