"""With `pooling: mean` the head reads the mean over a text's tokens, by every way to run the model."""

import contextlib

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from test_exactness import EXACT, assert_same_step, own_inputs, some_addresses, step
from test_fused import assert_same_results, both, stacked, wide

from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.errors import EncoderError
from finetune_alf.rates import FrozenBelow, LayerRates, addresses
from finetune_alf.recipe import GradualUnfreezing
from finetune_alf.train.batches import batches_by_length
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.fused import FusedForward
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.forward.protocol import forward_of
from tiny import load_tiny, task_splits, tiny_recipe
from tiny_families import (
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

LENGTHS = (5, 1, 22, 9, 9, 2, 14)
TOP = LayerRates.of(0.0, [0.0, 0.0, 1e-2], 1e-2)
RAGGED = LayerRates.of(0.0, [1e-3, 0.0, 1e-2], 1e-3)


def packed(encoder, seed=0):
    return PackedForward(encoder.model, seed, "mean")


def padded(encoder):
    return PaddedForward(encoder.model, "mean")


@contextlib.contextmanager
def every_token_is_the_mean(encoder):
    """Let the stack of layers of transformers return the mean of a text's tokens in the place of each token."""
    body = encoder.model.base_model
    top = next(part for name in ("final_norm", "encoder", "transformer") if (part := getattr(body, name, None)))

    def replace(module, inputs, output):
        hidden = output if isinstance(output, torch.Tensor) else output[0]
        mean = hidden.mean(1, keepdim=True).expand_as(hidden)
        if isinstance(output, torch.Tensor):
            return mean
        output.last_hidden_state = mean
        if output.get("hidden_states") is not None:  # DeBERTa reads the last of them
            output.hidden_states = (*output.hidden_states[:-1], mean)
        return output

    hook = top.register_forward_hook(replace)
    try:
        yield
    finally:
        hook.remove()


@pytest.mark.parametrize("family", [*PACKED, *PADDED_ONLY])
def test_logits_and_gradients_are_those_of_transformers_on_the_mean_text_by_text(family):
    encoder = tiny_encoder(family)
    table, trainable = table_of(encoder, LENGTHS), encoder.anatomy.addresses

    def by_hand(table, rows):
        with every_token_is_the_mean(encoder):
            return torch.cat([encoder.model(**own_inputs(table, row)).logits for row in rows])

    expected = step(encoder, by_hand, table, trainable)
    for forward in [padded(encoder), *([packed(encoder)] if family in PACKED else [])]:
        assert_same_step(step(encoder, forward, table, trainable), expected)
    first = step(encoder, PaddedForward(encoder.model), table, trainable)
    assert not torch.allclose(first[0], expected[0])


@pytest.mark.parametrize("family", PACKED)
@settings(max_examples=5, deadline=None)
@given(st.data(), some_addresses, st.sampled_from([0.0, 1e-30]))
def test_packed_takes_the_step_of_padded_whatever_is_frozen(family, data, trainable, dropout):
    encoder = tiny_encoder(family, hidden=dropout, attention=dropout)
    encoder.model.train()
    table = data.draw(tables_of(encoder, padding_inside=data.draw(st.booleans())))
    assert_same_step(*(step(encoder, forward(encoder), table, trainable) for forward in (packed, padded)))


@pytest.mark.parametrize("level", range(N_LAYERS + 1))
@pytest.mark.parametrize("family", PACKED)
def test_frozen_features_give_the_logits_and_gradients_of_the_whole_encoder(family, level):
    encoder = tiny_encoder(family)
    encoder.model.eval()
    forward, table = packed(encoder), table_of(encoder, LENGTHS)
    features = forward.frozen_features(table, level, batches_by_length(table.lengths, 3))
    assert len(features.values) == (len(LENGTHS) if level == N_LAYERS else sum(LENGTHS))
    trainable = addresses(N_LAYERS)[level + 1 :]
    whole = step(encoder, forward, table, trainable)
    assert_same_step(step(encoder, lambda table, rows: forward(table, rows, features), table, trainable), whole)
    rows = [4, 2, 2, 6, 1]
    assert torch.allclose(forward(table, rows, features), forward(table, rows), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("forward", [packed, padded])
def test_micro_batches_add_up_to_the_gradients_of_the_batch(forward):
    encoder = tiny_encoder("roberta")
    encoder.model.requires_grad_(True)
    table, found = table_of(encoder, LENGTHS), []
    for size in (7, 1, 4):
        encoder.model.zero_grad()
        for start in range(0, 7, size):
            rows = range(start, min(start + size, 7))
            logits = forward(encoder)(table, rows)
            (F.cross_entropy(logits, labels_of(table)[list(rows)], reduction="sum") / 7).backward()
        found.append(gradients(encoder.model))
    assert all(largest_difference(some, found[0]) <= EXACT * largest(found[0]) for some in found[1:])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("family", PACKED)
def test_one_fused_forward_pass_gives_the_logits_of_each_member(family, training):
    encoder = tiny_encoder(family, hidden=0.2, attention=0.2, head=0.2)
    encoder.model.train(training)
    table = table_of(encoder, LENGTHS)
    weights = stacked(encoder, 2, [name for a in ("layer.1", "head") for name in encoder.anatomy.parameters[a]])
    torch.manual_seed(4)
    forward = FusedForward(encoder.model, 5, "mean")
    fused = forward.fused(weights, table, forward.prepare(table, [range(7)])[0])
    for member in range(2):
        torch.manual_seed(4)
        own = {name: tensor[member] for name, tensor in weights.items()}
        kept = {name: encoder.model.get_parameter(name).data for name in own}
        try:
            for name, tensor in own.items():
                encoder.model.get_parameter(name).data = tensor.detach()
            expected = packed(encoder, 5)(table, range(7))
        finally:
            for name, tensor in kept.items():
                encoder.model.get_parameter(name).data = tensor
        assert torch.allclose(fused[member], expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("changes", [{}, {"unfreezing": GradualUnfreezing()}, {"frozen_dropout": "off"}])
def test_a_fused_fit_has_the_results_of_each_members_own(changes):
    recipe = tiny_recipe(pooling="mean", **changes)
    rates = [TOP, TOP] if "frozen_dropout" in changes else [TOP, RAGGED]
    assert_same_results(*both(wide(), task_splits(wide()), recipe, rates))


def test_a_fit_of_the_head_alone_starts_from_the_means():
    encoder = load_tiny(0.0)
    recipe = tiny_recipe(rates=FrozenBelow(n_frozen="all", rate=0, head=1e-2), epochs=2)
    losses = {
        (pooling, dropout): [
            epoch.train_loss
            for epoch in fit(
                encoder,
                task_splits(encoder),
                recipe.model_copy(update={"pooling": pooling, "frozen_dropout": dropout}),
                seed=1,
            ).epochs
        ]
        for pooling in ("first", "mean")
        for dropout in ("on", "off")
    }
    assert losses["mean", "on"] == pytest.approx(losses["mean", "off"], rel=1e-5)
    assert losses["mean", "on"] != pytest.approx(losses["first", "on"], rel=1e-3)


def test_an_encoder_whose_head_is_not_known_is_refused():
    config = {"model_type": "ernie", "vocab_size": 41, "hidden_size": 8, "num_hidden_layers": 2}
    config |= {"num_attention_heads": 2, "intermediate_size": 12, "max_position_embeddings": 24}
    model = load_encoder(RandomEncoder(kind="random", config=config, seed=1), 2).model
    assert isinstance(forward_of(model, 0), PaddedForward)
    with pytest.raises(EncoderError, match=r"recipe\.pooling: must be first for a ernie encoder"):
        forward_of(model, 0, None, "mean")
