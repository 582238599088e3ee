"""The formulas agree with calculations by hand and with what PyTorch counts."""

from dataclasses import replace

import pytest
from counted import PACKED, PADDED, Rates, counted_evaluation, counted_step, lengths, recipe, tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.cost import token_counts
from finetune_alf.cost.contrastive import contrastive_memory, contrastive_work
from finetune_alf.cost.flops import layer_flops
from finetune_alf.cost.memory import fit_memory
from finetune_alf.cost.shape import EncoderShape
from finetune_alf.cost.work import evaluation_work, fit_work
from finetune_alf.rates import addresses
from finetune_alf.recipe import Contrastive, GradualUnfreezing

TRAINABLE = ["11111", "01111", "00111", "00011", "00001", "10001", "01011", "10101", "11110"]

# h = 2, i = 4, one head, two layers; a head of a 2 x 2 pooler and a 2 x 2 classifier; 6 words of width 2.
SMALL = EncoderShape(
    n_layers=2,
    hidden_size=2,
    intermediate_size=4,
    n_heads=1,
    parameters={"embeddings": 12, "layer.0": 32, "layer.1": 32, "head": 8},
    head=(4, 4),
    vocab_size=6,
    embedding_size=2,
)


def test_a_bert_layer_takes_24_h_squared_and_4_s_h_for_each_token():
    shape, s = replace(SMALL, hidden_size=8, intermediate_size=32), 5
    once = layer_flops(shape, token_counts.packed([s], 1), first_token_only=False)
    assert once.forward == s * (24 * 8**2 + 4 * s * 8)
    assert once.backward(is_trainable=False, is_lowest=False) == s * (24 * 8**2 + 8 * s * 8)
    assert once.backward(is_trainable=True, is_lowest=False) == s * (48 * 8**2 + 8 * s * 8)
    assert once.backward(is_trainable=True, is_lowest=True) == s * ((48 - 6) * 8**2 + 8 * s * 8)


def test_a_step_on_one_text_of_three_tokens_takes_what_is_counted_by_hand():
    # Layer 0, 3 tokens. Q, K, V: 3 products of (3 x 2)(2 x 2), 24 each. Attention: scores and outputs, 2*3*3*2 each.
    # After: output 24, up 2*3*2*4 = 48, down 48.
    layer_0 = (72, 72, 120)
    # Layer 1 computes the first token only. K, V: 24 each, Q: 8. Attention: 2*3*2 twice. After: 8 + 16 + 16.
    layer_1 = (56, 24, 40)
    head = 16
    forward = sum(layer_0) + sum(layer_1) + head
    input_gradients = (72 + 2 * 72 + 120) + (56 + 2 * 24 + 40) + head
    weight_gradients = (72 + 120) + (56 + 40) + head
    fit = recipe(Rates("1111"))
    assert fit_work(SMALL, lengths([3]), fit, PACKED).train_flops == forward + input_gradients + weight_gradients
    # With frozen embeddings, Q, K and V of layer 0 need no input gradient.
    fit = recipe(Rates("0111"))
    assert fit_work(SMALL, lengths([3]), fit, PACKED).train_flops == forward + input_gradients - 72 + weight_gradients
    # With only the head trainable, its first matrix needs no input gradient either.
    fit = recipe(Rates("0001"))
    assert fit_work(SMALL, lengths([3]), fit, PACKED).train_flops == forward + 8 + 16


def test_steps_batches_and_updates_are_those_of_a_fit():
    fit = recipe(Rates("0011"), epochs=3, batch=4)
    work = fit_work(SMALL, lengths([3] * 10, [3] * 7), fit, replace(PACKED, evaluation_batch=4, micro_batch=3))
    assert work.train_batches == 3 * 5  # 3 + 1, 3 + 1, 2
    assert work.updates == 3 * 3 * (32 + 8)
    assert work.train_calls == work.train_batches * (2 + 1)


def test_an_epoch_of_half_the_steps_takes_half_the_work_and_evaluates_as_often():
    texts = lengths([3] * 16, [3] * 7)
    whole = fit_work(SMALL, texts, recipe(Rates("0111"), epochs=2, batch=4), PACKED)
    half = fit_work(SMALL, texts, recipe(Rates("0111"), epochs=2, batch=4, steps_per_epoch=2), PACKED)
    assert (half.train_flops, half.updates, half.train_calls) == (
        whole.train_flops / 2,
        whole.updates / 2,
        whole.train_calls / 2,
    )
    assert half.evaluation_flops == whole.evaluation_flops


@pytest.mark.parametrize("trainable", TRAINABLE)
@pytest.mark.parametrize("family", ["bert", "distilbert", "electra"])
def test_a_padded_step_takes_what_pytorch_counts(family, trainable):
    encoder, shape = tiny(family)
    rates, texts = Rates(trainable), [24, 17, 9, 24]
    predicted = fit_work(shape, lengths(texts), recipe(rates), PADDED).train_flops
    assert predicted == pytest.approx(counted_step(encoder, rates.at, texts, packed=False), rel=0.03)


@pytest.mark.parametrize("trainable", TRAINABLE)
@pytest.mark.parametrize("family", ["bert", "distilbert", "electra"])
def test_a_packed_step_takes_what_pytorch_counts(family, trainable):
    encoder, shape = tiny(family)
    rates, texts = Rates(trainable), [24, 24, 24]  # of one length: the padded blocks of attention hold no padding
    predicted = fit_work(shape, lengths(texts), recipe(rates), PACKED).train_flops
    assert predicted == pytest.approx(counted_step(encoder, rates.at, texts, packed=True), rel=0.03)


@pytest.mark.parametrize("trainable", TRAINABLE)
def test_a_packed_step_on_the_mean_of_the_tokens_takes_what_pytorch_counts(trainable):
    encoder, shape = tiny()
    rates, texts = Rates(trainable), [24, 24, 24]
    predicted = fit_work(shape, lengths(texts), recipe(rates, pooling="mean"), PACKED).train_flops
    counted = counted_step(encoder, rates.at, texts, packed=True, pooling="mean")
    assert predicted == pytest.approx(counted, rel=0.03)


@pytest.mark.parametrize("packed", [True, False])
def test_an_evaluation_takes_what_pytorch_counts(packed):
    encoder, shape = tiny()
    texts = [16, 16]
    predicted = evaluation_work(shape, texts, PACKED if packed else PADDED, 64).evaluation_flops
    assert predicted == pytest.approx(counted_evaluation(encoder, texts, packed=packed), rel=0.03)
    engine = replace(PACKED if packed else PADDED, pooling="mean")
    predicted = evaluation_work(shape, texts, engine, 64).evaluation_flops
    counted = counted_evaluation(encoder, texts, packed=packed, pooling="mean")
    assert predicted == pytest.approx(counted, rel=0.03)


@given(st.data(), st.booleans(), st.sampled_from(["on", "off"]), st.sampled_from([1, 2, 5]))
@settings(max_examples=150, deadline=None)
def test_freezing_one_more_address_never_costs_more(data, packed, frozen_dropout, epochs):
    shape = replace(SMALL, n_layers=4, parameters=dict.fromkeys(addresses(4), 32) | {"embeddings": 12})
    flags = [*data.draw(st.lists(st.booleans(), min_size=5, max_size=5)), True]
    index = data.draw(st.integers(0, 4))
    texts = lengths(data.draw(st.lists(st.integers(1, 60), min_size=8, max_size=30)), [9] * 20, (7,) * 12)
    engine = PACKED if packed else PADDED
    changes = {"epochs": epochs, "batch": 8, "frozen_dropout": frozen_dropout}
    before = fit_work(shape, texts, recipe(Rates(flags), **changes), engine)
    frozen = fit_work(shape, texts, recipe(Rates([*flags[:index], False, *flags[index + 1 :]]), **changes), engine)
    assert frozen.train_flops <= before.train_flops
    assert frozen.updates <= before.updates
    assert frozen.flops <= before.flops


@given(st.lists(st.integers(1, 512), min_size=1, max_size=60), st.integers(1, 16))
def test_padding_never_reduces_tokens_and_sorting_wastes_least(texts, batch):
    batch = min(batch, len(texts))
    sizes = token_counts.batch_sizes(len(texts), batch, None)
    unpadded = token_counts.packed(texts, len(sizes))
    by_length, at_random = token_counts.padded_by_length(texts, batch), token_counts.padded_at_random(texts, sizes)
    assert unpadded.n_tokens <= by_length.n_tokens <= max(texts) * len(texts)
    assert unpadded.n_tokens <= at_random.n_tokens * (1 + 1e-9)
    assert at_random.n_tokens <= max(texts) * len(texts) * (1 + 1e-9)


def test_the_longest_of_a_random_batch_is_that_of_all_batches():
    # Of 1, 2, 4 two at a time: {1,2}, {1,4}, {2,4}, so 2, 4 and 4; then one left over, 7/3 on average.
    expected = token_counts.padded_at_random([1, 2, 4], [2, 1])
    assert expected.n_tokens == pytest.approx(2 * (2 + 4 + 4) / 3 + 7 / 3)
    assert expected.squared_lengths == pytest.approx(2 * (4 + 16 + 16) / 3 + 21 / 3)


def test_frozen_features_are_computed_once_and_not_cached_where_too_large():
    frozen = recipe(Rates("0011"), epochs=10)
    texts = lengths([3] * 4, [3] * 40)
    cached = fit_work(SMALL, texts, frozen, PACKED).evaluation_flops
    not_cached = fit_work(SMALL, texts, frozen, replace(PACKED, max_features_bytes=0)).evaluation_flops
    layer_0, rest = 40 * (72 + 72 + 120), 40 * (56 + 24 + 40 + 16)
    assert cached == layer_0 + 10 * rest
    assert not_cached == 10 * (layer_0 + rest)


def test_features_are_computed_once_for_training_too():
    head_only = recipe(Rates("0001"), epochs=10, frozen_dropout="off")
    work = fit_work(SMALL, lengths([3] * 4, [3]), head_only, PACKED)
    assert work.train_flops == 10 * 4 * (16 + 16 + 8)
    assert work.train_calls == 0
    body = 72 + 72 + 120 + 56 + 24 + 40
    assert work.evaluation_flops == 5 * body + 10 * 16


def test_a_contrastive_fit_trains_two_texts_a_pair_and_evaluates_the_training_texts_too():
    objective = Contrastive(n_pairs=3)
    pairs = recipe(Rates("1111"), epochs=2, batch=4, pooling="mean", objective=objective)
    texts = lengths([3] * 8, [3] * 5)
    work = contrastive_work(SMALL, texts, pairs, objective, PACKED)
    single = recipe(Rates("1111"), epochs=2, batch=8, pooling="mean")
    expected = fit_work(SMALL, lengths([3] * 48, [3] * 5), single, PACKED)
    assert work.train_flops == expected.train_flops
    assert work.train_batches == 2 * 8 * 3 / 4
    engine = replace(PACKED, pooling="mean")
    training_texts = evaluation_work(SMALL, [3] * 8, engine, 64).evaluation_flops
    assert work.evaluation_flops == expected.evaluation_flops + 2 * training_texts
    assert (
        contrastive_memory(SMALL, texts, pairs, objective, PACKED).batch
        == fit_memory(SMALL, texts, single, PACKED).batch
    )


def test_gradual_unfreezing_updates_only_unfrozen_weights():
    unfrozen = recipe(Rates("1111"), epochs=3, unfreezing=GradualUnfreezing())
    work = fit_work(SMALL, lengths([3] * 4), unfrozen, PACKED)
    assert work.updates == (8 + 32) + (8 + 64) + (8 + 64 + 12)
    assert work.flops < fit_work(SMALL, lengths([3] * 4), recipe(Rates("1111"), epochs=3), PACKED).flops


def test_shared_layers_are_run_as_often_as_the_encoder_is_deep():
    shared = replace(SMALL, n_layers=1, n_passes=3, parameters={"embeddings": 12, "layer.0": 32, "head": 8})
    deep = replace(SMALL, n_layers=3, parameters=dict.fromkeys(addresses(3), 32) | {"embeddings": 12, "head": 8})
    texts = lengths([3] * 4)
    once, all_own = (
        fit_work(shape, texts, recipe(Rates(o)), PADDED) for shape, o in ((shared, "111"), (deep, "11111"))
    )
    assert once.flops == all_own.flops
    assert once.updates < all_own.updates
