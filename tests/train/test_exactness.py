"""Packed and padded, padded and transformers, a restricted and the full vocabulary: all take the same steps."""

import contextlib
import dataclasses

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.rates import FrozenBelow, UniformRates, addresses
from finetune_alf.recipe import SGD, AdamW
from finetune_alf.train.batches import shuffled_batches
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.attention import attention
from finetune_alf.train.forward.dropout import DropoutMasks
from finetune_alf.train.forward.pack import GROUP_COST
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.optimizer import LayerwiseOptimizer
from tiny import task_splits, tiny_recipe, tokenized_split
from tiny_families import (
    N_IDS,
    N_LAYERS,
    PACKED,
    PADDED_ONLY,
    gradients,
    labels_of,
    largest,
    largest_difference,
    table_of,
    tables_of,
    tiny_encoder,
)

EXACT = 1e-12  # relative to the model's largest gradient, in fp64
ALL_ADDRESSES = addresses(N_LAYERS)
fast = settings(max_examples=20, deadline=None)
some_addresses = st.sets(st.sampled_from(ALL_ADDRESSES), min_size=1)


def step(encoder, forward, table, trainable=ALL_ADDRESSES):
    """Return logits, loss and gradients of one step with these addresses trainable."""
    encoder.model.zero_grad()
    for address, names in encoder.anatomy.parameters.items():
        for name in names:
            encoder.model.get_parameter(name).requires_grad_(address in trainable)
    logits = forward(table, range(len(table)))
    loss = F.cross_entropy(logits, labels_of(table))
    loss.backward()
    return logits.detach(), loss.item(), gradients(encoder.model)


def assert_same_step(one, other):
    (logits, loss, grads), (other_logits, other_loss, other_grads) = one, other
    bound = EXACT * largest(other_grads)
    assert grads.keys() == other_grads.keys()
    assert largest_difference(grads, other_grads) <= bound
    assert (logits - other_logits).abs().max() <= max(bound, EXACT * other_logits.abs().max())
    assert abs(loss - other_loss) <= max(bound, EXACT * other_loss)


@pytest.mark.parametrize("family", PACKED)
@fast
@given(st.data(), some_addresses, st.booleans())
def test_packed_takes_the_step_of_padded_whatever_is_frozen(family, data, trainable, training):
    encoder = tiny_encoder(family)
    encoder.model.train(training)
    table = data.draw(tables_of(encoder))
    packed, padded = (step(encoder, kind(encoder.model), table, trainable) for kind in (PackedForward, PaddedForward))
    assert_same_step(packed, padded)


@pytest.mark.parametrize("family", PACKED)
@fast
@given(st.data())
def test_packed_takes_the_step_of_padded_where_texts_hold_the_padding_id(family, data):
    encoder = tiny_encoder(family)
    table = data.draw(tables_of(encoder, padding_inside=True))
    packed, padded = (step(encoder, kind(encoder.model), table) for kind in (PackedForward, PaddedForward))
    assert_same_step(packed, padded)


@pytest.mark.parametrize("family", PACKED)
@fast
@given(st.data())
def test_the_dropout_code_takes_the_same_step_where_no_element_is_dropped(family, data):
    encoder = tiny_encoder(family, hidden=1e-30, attention=1e-30)
    encoder.model.train()
    table = data.draw(tables_of(encoder))
    assert_same_step(*(step(encoder, kind(encoder.model), table) for kind in (PackedForward, PaddedForward)))


@pytest.mark.parametrize("family", PACKED)
def test_many_groups_of_lengths_change_nothing(family, monkeypatch):
    monkeypatch.setitem(GROUP_COST, "cpu", 20)
    encoder = tiny_encoder(family)
    table = table_of(encoder, [3, 22, 1, 9, 9, 8, 21, 2, 15, 22, 1])
    assert_same_step(*(step(encoder, kind(encoder.model), table) for kind in (PackedForward, PaddedForward)))


@pytest.mark.parametrize("family", [*PACKED, *PADDED_ONLY])
def test_padded_takes_the_step_of_transformers_own_forward_text_by_text(family):
    encoder = tiny_encoder(family)
    table = table_of(encoder, [5, 1, 22, 9, 2])

    def one_by_one(table, rows):
        return torch.cat([encoder.model(**own_inputs(table, row)).logits for row in rows])

    trainable = encoder.anatomy.addresses
    assert_same_step(
        step(encoder, PaddedForward(encoder.model), table, trainable), step(encoder, one_by_one, table, trainable)
    )


def test_positions_start_past_the_models_padding_id_whatever_the_tokenizers_is():
    encoder = tiny_encoder("roberta")
    table = table_of(encoder, [5, 22])
    other = dataclasses.replace(table, pad_token_id=N_IDS - 1, input_ids=table.input_ids % (N_IDS - 1))
    assert encoder.model.config.pad_token_id not in other.input_ids
    forward = PackedForward(encoder.model)
    assert torch.equal(
        forward(other, [0, 1]), forward(dataclasses.replace(other, pad_token_id=table.pad_token_id), [0, 1])
    )


def own_inputs(table, row):
    span = slice(table.starts[row], table.starts[row] + table.lengths[row])
    inputs = {"input_ids": table.input_ids[None, span]}
    return inputs if table.token_type_ids is None else inputs | {"token_type_ids": table.token_type_ids[None, span]}


def weights(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


def trajectory(encoder, recipe, *, restricted):
    """Return the losses and last weights of two epochs, with the restricted or the full vocabulary."""
    split, losses = tokenized_split(encoder), []
    encoder.reset(3)
    torch.manual_seed(4)  # dropout
    encoder.model.train()
    forward = PackedForward(encoder.model)
    with forward.restrict_vocabulary([split.table]) if restricted else contextlib.nullcontext():
        rates = encoder.anatomy.rates(recipe.rates.at(encoder.n_layers))
        optimizer = LayerwiseOptimizer(encoder.model, encoder.anatomy, recipe, rates, n_steps=6)
        rows = [some for epoch in range(2) for some in shuffled_batches(len(split), 3, 5, epoch)]
        for number, some in enumerate(rows):
            loss = F.cross_entropy(forward(split.table, some), split.labels[some])
            loss.backward()
            optimizer.step(number)
            losses.append(loss.item())
    return losses, weights(encoder)


@pytest.mark.parametrize("optimizer", [AdamW(), SGD(momentum=0.9), SGD()], ids=["adamw", "momentum", "sgd"])
def test_a_restricted_vocabulary_is_trained_bit_for_bit_as_the_full_one(loaded, optimizer):
    recipe = tiny_recipe(optimizer=optimizer, rates=UniformRates(rate=1e-2), clip=None)
    (restricted_losses, restricted), (losses, full) = (
        trajectory(loaded, recipe, restricted=restricted) for restricted in (True, False)
    )
    assert restricted_losses == losses
    assert all(torch.equal(restricted[name], full[name]) for name in full)


def test_with_clipping_a_restricted_vocabulary_differs_only_in_the_order_of_a_sum(loaded):
    recipe = tiny_recipe(optimizer=AdamW(), rates=UniformRates(rate=1e-3), clip=0.1)
    (restricted_losses, restricted), (losses, full) = (
        trajectory(loaded, recipe, restricted=restricted) for restricted in (True, False)
    )
    assert restricted_losses == pytest.approx(losses, rel=1e-5)
    assert all(torch.allclose(restricted[name], full[name], rtol=0, atol=1e-5) for name in full)


WORDS = "bert.embeddings.word_embeddings.weight"


def test_words_that_do_not_occur_keep_their_weights_to_the_bit_and_the_others_change(loaded):
    loaded.reset(0)
    before = weights(loaded)[WORDS]
    fit(loaded, task_splits(loaded), tiny_recipe(optimizer=AdamW(), rates=UniformRates(rate=1e-2)), seed=1)
    moved = (weights(loaded)[WORDS] != before).any(1)
    used = torch.zeros_like(moved)
    used[tokenized_split(loaded).table.input_ids] = True
    assert torch.equal(moved, used)


@pytest.mark.parametrize(
    ("changes", "is_restricted"),
    [
        ({"optimizer": AdamW()}, True),
        ({"optimizer": SGD(momentum=0.9)}, True),
        ({"optimizer": AdamW(weight_decay=0.01)}, False),
        ({"optimizer": SGD(weight_decay=0.01)}, False),
        ({"rates": FrozenBelow(n_frozen=0, rate=1e-3)}, False),
    ],
)
def test_the_vocabulary_is_restricted_only_where_that_changes_nothing(loaded, changes, is_restricted):
    splits, n_rows = task_splits(loaded), []

    def count_words(metrics):
        n_rows.append(len(loaded.model.get_parameter(WORDS)))
        return True

    fit(loaded, splits, tiny_recipe(epochs=1, **changes), seed=1, report=count_words)
    assert n_rows == [len(splits.train.table.input_ids.unique()) if is_restricted else 64]
    assert len(loaded.model.get_parameter(WORDS)) == 64


def test_an_interrupted_fit_restores_the_model(loaded):
    words = loaded.model.base_model.embeddings.word_embeddings
    full, padding = words.weight, words.padding_idx

    def interrupt(metrics):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(loaded, task_splits(loaded), tiny_recipe(), seed=1, report=interrupt)
    assert words.weight is full
    assert words.padding_idx == padding
    again = fit(loaded, task_splits(loaded), tiny_recipe(), seed=1)
    assert again.predictions == fit(loaded, task_splits(loaded), tiny_recipe(), seed=1).predictions


N_MASKS = 1500


def moments(kind, encoder, table):
    """Return mean and standard error of the first text's loss, logits and their squares, over many dropout masks."""
    encoder.model.train()
    with torch.no_grad():
        torch.manual_seed(7)
        logits = kind(encoder.model)(table, [0, 1] * N_MASKS)[::2]
    encoder.model.eval()
    loss = F.cross_entropy(logits, torch.zeros(N_MASKS, dtype=torch.int64), reduction="none")
    seen = torch.cat([loss[:, None], logits, logits**2], dim=1)  # (masks, 1 + 2 * classes)
    return seen.mean(0), seen.std(0) / N_MASKS**0.5


@pytest.mark.parametrize("family", PACKED)
@pytest.mark.parametrize(
    "where", [{"hidden": 0.3}, {"attention": 0.5}, {"head": 0.3}], ids=lambda where: next(iter(where))
)
def test_dropout_of_packed_has_the_distribution_of_padded(family, where):
    encoder = tiny_encoder(family, **where, dtype=torch.float32)
    table = table_of(encoder, [9, 6], seed=3)
    (mean, error), (other_mean, other_error) = (
        moments(kind, encoder, table) for kind in (PackedForward, PaddedForward)
    )
    assert error.min() > 0  # there is dropout
    z = (mean - other_mean) / (error**2 + other_error**2).sqrt()
    assert z.abs().max() < 4


def plain_attention(query, key, value, bias, mask):
    return ((query @ key.mT + bias).softmax(-1) * mask) @ value


def test_attention_with_dropout_has_the_gradients_of_autograd():
    torch.manual_seed(1)
    mask = (torch.rand(3, 2, 4, 5, dtype=torch.float64) > 0.4) / 0.6
    bias = torch.zeros(3, 1, 1, 5, dtype=torch.float64)
    bias[1, ..., 3:] = torch.finfo(torch.float32).min
    found = []
    for attend in (attention, plain_attention):
        torch.manual_seed(2)
        parts = [torch.randn(3, 2, n, 4, dtype=torch.float64, requires_grad=True) for n in (4, 5, 5)]
        output = attend(*parts, bias, mask)
        (output * torch.randn(3, 2, 4, 4, dtype=torch.float64)).sum().backward()
        found.append([output.detach(), *(part.grad for part in parts)])
    assert all(torch.allclose(one, other, rtol=1e-12, atol=1e-13) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_a_dropout_mask_is_zero_with_probability_p_and_has_mean_1(dtype, p):
    n, like = 60_001, torch.zeros((), dtype=dtype)
    mask = DropoutMasks(3).draw(torch.Size([n]), p, like)
    assert mask.dtype == dtype
    assert mask.unique().tolist() == [0.0, torch.tensor(1 / (1 - p), dtype=dtype).item()]
    dropped = (mask == 0).double()
    error = (p * (1 - p) / n) ** 0.5
    assert abs(dropped.mean() - p) < 4 * error + 2**-16
    neighbours = ((dropped[1:] - p) * (dropped[:-1] - p)).mean()
    assert abs(neighbours) < 4 * p * (1 - p) / n**0.5


def test_the_seed_determines_the_masks_and_every_mask_is_another():
    like, shape = torch.zeros(()), torch.Size([7, 9])
    mask, again, other = (DropoutMasks(seed) for seed in (1, 1, 2))
    first, second = mask.draw(shape, 0.5, like), mask.draw(shape, 0.5, like)
    assert torch.equal(again.draw(shape, 0.5, like), first)
    assert not torch.equal(first, second)
    assert not torch.equal(other.draw(shape, 0.5, like), first)
