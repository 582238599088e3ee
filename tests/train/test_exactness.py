"""The fast ways take the same steps: packed against padded, padded against transformers, cut against whole."""

import contextlib
import dataclasses

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import fit_texts, labelled, tiny_recipe
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

from finetune_alf.rates import FrozenBelow, UniformRates, addresses
from finetune_alf.recipe import SGD, AdamW
from finetune_alf.train.batches import shuffled_batches
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.attention import heard
from finetune_alf.train.forward.dropout import DropoutNoise
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.lr import Pace

EXACT = 1e-12  # of the model's largest gradient, in fp64
EVERYTHING = addresses(N_LAYERS)
few = settings(max_examples=20, deadline=None)
some_open = st.sets(st.sampled_from(EVERYTHING), min_size=1)


def step(encoder, forward, table, opened=EVERYTHING):
    """Return logits, loss and gradients of one step with these addresses open."""
    encoder.model.zero_grad()
    for address, names in encoder.anatomy.parameters.items():
        for name in names:
            encoder.model.get_parameter(name).requires_grad_(address in opened)
    logits = forward(table, range(len(table)))
    loss = F.cross_entropy(logits, labels_of(table))
    loss.backward()
    return logits.detach(), loss.item(), gradients(encoder.model)


def agree(one, other):
    (logits, loss, grads), (other_logits, other_loss, other_grads) = one, other
    bound = EXACT * largest(other_grads)
    assert grads.keys() == other_grads.keys()
    assert largest_difference(grads, other_grads) <= bound
    assert (logits - other_logits).abs().max() <= max(bound, EXACT * other_logits.abs().max())
    assert abs(loss - other_loss) <= max(bound, EXACT * other_loss)


@pytest.mark.parametrize("family", PACKED)
@few
@given(st.data(), some_open, st.booleans())
def test_packed_takes_the_step_of_padded_whatever_is_frozen(family, data, opened, training):
    encoder = tiny_encoder(family)
    encoder.model.train(training)
    table = data.draw(tables_of(encoder))
    packed, padded = (step(encoder, kind(encoder.model), table, opened) for kind in (PackedForward, PaddedForward))
    agree(packed, padded)


@pytest.mark.parametrize("family", PACKED)
@few
@given(st.data())
def test_packed_takes_the_step_of_padded_where_texts_hold_the_padding_id(family, data):
    encoder = tiny_encoder(family)
    table = data.draw(tables_of(encoder, padding_inside=True))
    packed, padded = (step(encoder, kind(encoder.model), table) for kind in (PackedForward, PaddedForward))
    agree(packed, padded)


@pytest.mark.parametrize("family", PACKED)
@few
@given(st.data())
def test_the_way_with_dropout_takes_the_same_step_where_no_mask_falls(family, data):
    encoder = tiny_encoder(family, hidden=1e-30, attention=1e-30)
    encoder.model.train()
    table = data.draw(tables_of(encoder))
    agree(*(step(encoder, kind(encoder.model), table) for kind in (PackedForward, PaddedForward)))


@pytest.mark.parametrize("family", PACKED)
def test_many_groups_of_lengths_change_nothing(family, monkeypatch):
    monkeypatch.setattr("finetune_alf.train.forward.pack.GROUP_COST", 20)
    encoder = tiny_encoder(family)
    table = table_of(encoder, [3, 22, 1, 9, 9, 8, 21, 2, 15, 22, 1])
    agree(*(step(encoder, kind(encoder.model), table) for kind in (PackedForward, PaddedForward)))


@pytest.mark.parametrize("family", [*PACKED, *PADDED_ONLY])
def test_padded_takes_the_step_of_transformers_own_forward_text_by_text(family):
    encoder = tiny_encoder(family)
    table = table_of(encoder, [5, 1, 22, 9, 2])

    def alone(table, rows):
        return torch.cat([encoder.model(**own_inputs(table, row)).logits for row in rows])

    opened = encoder.anatomy.addresses
    agree(step(encoder, PaddedForward(encoder.model), table, opened), step(encoder, alone, table, opened))


def test_positions_start_past_the_models_padding_id_whatever_the_tokenizers_is():
    encoder = tiny_encoder("roberta")
    table = table_of(encoder, [5, 22])
    other = dataclasses.replace(table, pad_token_id=N_IDS - 1, ids=table.ids % (N_IDS - 1))
    assert encoder.model.config.pad_token_id not in other.ids
    forward = PackedForward(encoder.model)
    assert torch.equal(
        forward(other, [0, 1]), forward(dataclasses.replace(other, pad_token_id=table.pad_token_id), [0, 1])
    )


def own_inputs(table, row):
    span = slice(table.starts[row], table.starts[row] + table.lengths[row])
    inputs = {"input_ids": table.ids[None, span]}
    return inputs if table.types is None else inputs | {"token_type_ids": table.types[None, span]}


def weights(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


def trajectory(encoder, recipe, *, cut):
    """Return the losses and last weights of two epochs, with the embedding table cut or whole."""
    split, losses = labelled(encoder), []
    encoder.reset(3)
    torch.manual_seed(4)  # dropout
    encoder.model.train()
    forward = PackedForward(encoder.model)
    with forward.cut([split.table]) if cut else contextlib.nullcontext():
        pace = Pace(encoder.model, encoder.anatomy, recipe, n_steps=6)
        rows = [some for epoch in range(2) for some in shuffled_batches(len(split), 3, 5, epoch)]
        for number, some in enumerate(rows):
            loss = F.cross_entropy(forward(split.table, some), split.labels[some])
            loss.backward()
            pace.step(number)
            losses.append(loss.item())
    return losses, weights(encoder)


@pytest.mark.parametrize("optimizer", [AdamW(), SGD(momentum=0.9), SGD()], ids=["adamw", "momentum", "sgd"])
def test_a_cut_table_learns_bit_for_bit_what_a_whole_one_does(loaded, optimizer):
    recipe = tiny_recipe(optimizer=optimizer, rates=UniformRates(rate=1e-2), clip=None)
    (cut_losses, cut), (losses, whole) = (trajectory(loaded, recipe, cut=cut) for cut in (True, False))
    assert cut_losses == losses
    assert all(torch.equal(cut[name], whole[name]) for name in whole)


def test_with_clipping_a_cut_table_learns_the_same_but_for_the_order_of_a_sum(loaded):
    recipe = tiny_recipe(optimizer=AdamW(), rates=UniformRates(rate=1e-3), clip=0.1)
    (cut_losses, cut), (losses, whole) = (trajectory(loaded, recipe, cut=cut) for cut in (True, False))
    assert cut_losses == pytest.approx(losses, rel=1e-5)
    assert all(torch.allclose(cut[name], whole[name], rtol=0, atol=1e-5) for name in whole)


WORDS = "bert.embeddings.word_embeddings.weight"


def test_words_that_do_not_occur_keep_their_weights_to_the_bit_and_the_others_learn(loaded):
    loaded.reset(0)
    before = weights(loaded)[WORDS]
    fit(loaded, fit_texts(loaded), tiny_recipe(optimizer=AdamW(), rates=UniformRates(rate=1e-2)), seed=1)
    moved = (weights(loaded)[WORDS] != before).any(1)
    used = torch.zeros_like(moved)
    used[labelled(loaded).table.ids] = True
    assert torch.equal(moved, used)


@pytest.mark.parametrize(
    ("changes", "is_cut"),
    [
        ({"optimizer": AdamW()}, True),
        ({"optimizer": SGD(momentum=0.9)}, True),
        ({"optimizer": AdamW(weight_decay=0.01)}, False),
        ({"optimizer": SGD(weight_decay=0.01)}, False),
        ({"rates": FrozenBelow(n_frozen=0, rate=1e-3)}, False),
    ],
)
def test_the_table_is_cut_only_where_that_changes_nothing(loaded, changes, is_cut):
    texts, n_rows = fit_texts(loaded), []

    def look(record):
        n_rows.append(len(loaded.model.get_parameter(WORDS)))
        return True

    fit(loaded, texts, tiny_recipe(epochs=1, **changes), seed=1, report=look)
    assert n_rows == [len(texts.train.table.ids.unique()) if is_cut else 64]
    assert len(loaded.model.get_parameter(WORDS)) == 64


def test_a_fit_that_breaks_off_leaves_the_model_whole(loaded):
    words = loaded.model.base_model.embeddings.word_embeddings
    whole, padding = words.weight, words.padding_idx

    def break_off(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(loaded, fit_texts(loaded), tiny_recipe(), seed=1, report=break_off)
    assert words.weight is whole
    assert words.padding_idx == padding
    again = fit(loaded, fit_texts(loaded), tiny_recipe(), seed=1)
    assert again.predictions == fit(loaded, fit_texts(loaded), tiny_recipe(), seed=1).predictions


N_MASKS = 1500


def moments(kind, encoder, table):
    """Return mean and standard error of the first text's loss, logits and their squares, each time with other masks."""
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
    assert error.min() > 0  # it does fall
    z = (mean - other_mean) / (error**2 + other_error**2).sqrt()
    assert z.abs().max() < 4


def plainly(query, key, value, bias, noise):
    return ((query @ key.mT + bias).softmax(-1) * noise) @ value


def test_attention_with_dropout_has_the_gradients_that_autograd_finds():
    torch.manual_seed(1)
    noise = (torch.rand(3, 2, 4, 5, dtype=torch.float64) > 0.4) / 0.6
    bias = torch.zeros(3, 1, 1, 5, dtype=torch.float64)
    bias[1, ..., 3:] = torch.finfo(torch.float32).min
    found = []
    for attend in (heard, plainly):
        torch.manual_seed(2)
        parts = [torch.randn(3, 2, n, 4, dtype=torch.float64, requires_grad=True) for n in (4, 5, 5)]
        answer = attend(*parts, bias, noise)
        (answer * torch.randn(3, 2, 4, 4, dtype=torch.float64)).sum().backward()
        found.append([answer.detach(), *(part.grad for part in parts)])
    assert all(torch.allclose(one, other, rtol=1e-12, atol=1e-13) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_noise_is_zero_with_probability_p_and_keeps_the_mean(dtype, p):
    n, like = 60_001, torch.zeros((), dtype=dtype)
    noise = DropoutNoise(3).draw(torch.Size([n]), p, like)
    assert noise.dtype == dtype
    assert noise.unique().tolist() == [0.0, torch.tensor(1 / (1 - p), dtype=dtype).item()]
    dropped = (noise == 0).double()
    error = (p * (1 - p) / n) ** 0.5
    assert abs(dropped.mean() - p) < 4 * error + 2**-16
    neighbours = ((dropped[1:] - p) * (dropped[:-1] - p)).mean()
    assert abs(neighbours) < 4 * p * (1 - p) / n**0.5


def test_the_seed_decides_the_noise_and_every_draw_is_another():
    like, shape = torch.zeros(()), torch.Size([7, 9])
    noise, again, other = (DropoutNoise(seed) for seed in (1, 1, 2))
    first, second = noise.draw(shape, 0.5, like), noise.draw(shape, 0.5, like)
    assert torch.equal(again.draw(shape, 0.5, like), first)
    assert not torch.equal(first, second)
    assert not torch.equal(other.draw(shape, 0.5, like), first)
