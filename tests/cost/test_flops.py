"""The formula against sums made by hand and against what PyTorch counts."""

from dataclasses import replace

import pytest
from counted import PACKED, PADDED, Rates, counted_evaluation, counted_step, lengths, recipe, tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.cost import seen as see
from finetune_alf.cost.flops import layer_flops
from finetune_alf.cost.shape import Shape
from finetune_alf.cost.work import evaluation_work, fit_work
from finetune_alf.rates import addresses
from finetune_alf.recipe import GradualUnfreezing

OPENED = ["11111", "01111", "00111", "00011", "00001", "10001", "01011", "10101", "11110"]

# h = 2, i = 4, one head, two layers; a head of a 2 x 2 pooler and a 2 x 2 classifier; 6 words of width 2.
SMALL = Shape(
    n_layers=2,
    hidden=2,
    intermediate=4,
    n_heads=1,
    parameters={"embeddings": 12, "layer.0": 32, "layer.1": 32, "head": 8},
    head=(4, 4),
    n_words=6,
    word_width=2,
)


def test_a_bert_layer_takes_24_h_squared_and_4_s_h_for_each_token():
    shape, s = replace(SMALL, hidden=8, intermediate=32), 5
    once = layer_flops(shape, see.packed([s], 1), one_token=False)
    assert once.forward == s * (24 * 8**2 + 4 * s * 8)
    assert once.backward(is_open=False, is_lowest=False) == s * (24 * 8**2 + 8 * s * 8)
    assert once.backward(is_open=True, is_lowest=False) == s * (48 * 8**2 + 8 * s * 8)
    assert once.backward(is_open=True, is_lowest=True) == s * ((48 - 6) * 8**2 + 8 * s * 8)


def test_a_step_on_one_text_of_three_tokens_takes_what_is_counted_by_hand():
    # Layer 0, 3 tokens. Q, K, V: 3 products of (3 x 2)(2 x 2), 24 each. Attention: scores and answers, 2*3*3*2 each.
    # After: output 24, up 2*3*2*4 = 48, down 48.
    layer_0 = (72, 72, 120)
    # Layer 1 answers for one token. K, V: 24 each, Q: 8. Attention: 2*3*2 twice. After: 8 + 16 + 16.
    layer_1 = (56, 24, 40)
    head = 16
    forward = sum(layer_0) + sum(layer_1) + head
    into_inputs = (72 + 2 * 72 + 120) + (56 + 2 * 24 + 40) + head
    into_weights = (72 + 120) + (56 + 40) + head
    fit = recipe(Rates("1111"))
    assert fit_work(SMALL, lengths([3]), fit, PACKED).train_flops == forward + into_inputs + into_weights
    # With frozen embeddings, Q, K and V of layer 0 pass nothing on.
    fit = recipe(Rates("0111"))
    assert fit_work(SMALL, lengths([3]), fit, PACKED).train_flops == forward + into_inputs - 72 + into_weights
    # With the head alone open, its first matrix passes nothing on either.
    fit = recipe(Rates("0001"))
    assert fit_work(SMALL, lengths([3]), fit, PACKED).train_flops == forward + 8 + 16


def test_steps_batches_and_updates_are_those_of_a_fit():
    fit = recipe(Rates("0011"), epochs=3, batch=4, micro_batch=3)
    work = fit_work(SMALL, lengths([3] * 10, [3] * 7), fit, replace(PACKED, evaluation_batch=4))
    assert work.train_batches == 3 * 5  # 3 + 1, 3 + 1, 2
    assert work.updates == 3 * 3 * (32 + 8)
    assert work.train_calls == work.train_batches * (2 + 1)


@pytest.mark.parametrize("opened", OPENED)
@pytest.mark.parametrize("family", ["bert", "distilbert", "electra"])
def test_a_padded_step_takes_what_pytorch_counts(family, opened):
    encoder, shape = tiny(family)
    rates, texts = Rates(opened), [24, 17, 9, 24]
    told = fit_work(shape, lengths(texts), recipe(rates), PADDED).train_flops
    assert told == pytest.approx(counted_step(encoder, rates.at, texts, packed=False), rel=0.03)


@pytest.mark.parametrize("opened", OPENED)
@pytest.mark.parametrize("family", ["bert", "distilbert", "electra"])
def test_a_packed_step_takes_what_pytorch_counts(family, opened):
    encoder, shape = tiny(family)
    rates, texts = Rates(opened), [24, 24, 24]  # of one length: attention's own boxes hold no padding
    told = fit_work(shape, lengths(texts), recipe(rates), PACKED).train_flops
    assert told == pytest.approx(counted_step(encoder, rates.at, texts, packed=True), rel=0.03)


@pytest.mark.parametrize("packed", [True, False])
def test_an_evaluation_takes_what_pytorch_counts(packed):
    encoder, shape = tiny()
    texts = [16, 16]
    told = evaluation_work(shape, texts, PACKED if packed else PADDED, 64).evaluation_flops
    assert told == pytest.approx(counted_evaluation(encoder, texts, packed=packed), rel=0.03)


@given(st.data(), st.booleans(), st.sampled_from(["on", "off"]), st.sampled_from([1, 2, 5]))
@settings(max_examples=150, deadline=None)
def test_freezing_one_more_address_never_costs_more(data, packed, frozen_dropout, epochs):
    shape = replace(SMALL, n_layers=4, parameters=dict.fromkeys(addresses(4), 32) | {"embeddings": 12})
    flags = [*data.draw(st.lists(st.booleans(), min_size=5, max_size=5)), True]
    index = data.draw(st.integers(0, 4))
    texts = lengths(data.draw(st.lists(st.integers(1, 60), min_size=8, max_size=30)), [9] * 20, (7,) * 12)
    engine = PACKED if packed else PADDED
    changes = {"epochs": epochs, "batch": 8, "frozen_dropout": frozen_dropout}
    now = fit_work(shape, texts, recipe(Rates(flags), **changes), engine)
    frozen = fit_work(shape, texts, recipe(Rates([*flags[:index], False, *flags[index + 1 :]]), **changes), engine)
    assert frozen.train_flops <= now.train_flops
    assert frozen.updates <= now.updates
    assert frozen.flops <= now.flops


@given(st.lists(st.integers(1, 512), min_size=1, max_size=60), st.integers(1, 16))
def test_padding_never_makes_less_of_texts_and_sorting_wastes_least(texts, batch):
    batch = min(batch, len(texts))
    sizes = see.batch_sizes(len(texts), batch, None)
    bare = see.packed(texts, len(sizes))
    by_length, at_random = see.padded_by_length(texts, batch), see.padded_at_random(texts, sizes)
    assert bare.tokens <= by_length.tokens <= max(texts) * len(texts)
    assert bare.tokens <= at_random.tokens * (1 + 1e-9)
    assert at_random.tokens <= max(texts) * len(texts) * (1 + 1e-9)


def test_the_longest_of_a_random_batch_is_that_of_all_batches():
    # Of 1, 2, 4 two at a time: {1,2}, {1,4}, {2,4}, so 2, 4 and 4; then one left over, 7/3 on average.
    expected = see.padded_at_random([1, 2, 4], [2, 1])
    assert expected.tokens == pytest.approx(2 * (2 + 4 + 4) / 3 + 7 / 3)
    assert expected.squares == pytest.approx(2 * (4 + 16 + 16) / 3 + 21 / 3)


def test_a_frozen_bottom_is_evaluated_once_and_a_prefix_too_large_is_not_kept():
    frozen = recipe(Rates("0011"), epochs=10)
    texts = lengths([3] * 4, [3] * 40)
    kept = fit_work(SMALL, texts, frozen, PACKED).evaluation_flops
    anew = fit_work(SMALL, texts, frozen, replace(PACKED, prefix_bytes=0)).evaluation_flops
    layer_0, rest = 40 * (72 + 72 + 120), 40 * (56 + 24 + 40 + 16)
    assert kept == layer_0 + 10 * rest
    assert anew == 10 * (layer_0 + rest)


def test_features_are_computed_once_for_training_too():
    head_alone = recipe(Rates("0001"), epochs=10, frozen_dropout="off")
    work = fit_work(SMALL, lengths([3] * 4, [3]), head_alone, PACKED)
    assert work.train_flops == 10 * 4 * (16 + 16 + 8)
    assert work.train_calls == 0
    body = 72 + 72 + 120 + 56 + 24 + 40
    assert work.evaluation_flops == 5 * body + 10 * 16


def test_a_thaw_opens_what_it_opens_and_no_more():
    unfrozen = recipe(Rates("1111"), epochs=3, unfreezing=GradualUnfreezing())
    work = fit_work(SMALL, lengths([3] * 4), unfrozen, PACKED)
    assert work.updates == (8 + 32) + (8 + 64) + (8 + 64 + 12)
    assert work.flops < fit_work(SMALL, lengths([3] * 4), recipe(Rates("1111"), epochs=3), PACKED).flops


def test_shared_layers_are_run_as_often_as_the_encoder_is_deep():
    shared = replace(SMALL, n_layers=1, passes=3, parameters={"embeddings": 12, "layer.0": 32, "head": 8})
    deep = replace(SMALL, n_layers=3, parameters=dict.fromkeys(addresses(3), 32) | {"embeddings": 12, "head": 8})
    texts = lengths([3] * 4)
    once, all_own = (
        fit_work(shape, texts, recipe(Rates(o)), PADDED) for shape, o in ((shared, "111"), (deep, "11111"))
    )
    assert once.flops == all_own.flops
    assert once.updates < all_own.updates
