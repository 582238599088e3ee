"""The contract of the forward passes."""

import copy

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.forward.protocol import forward_of
from tiny_families import (
    FORWARDS,
    N_CLASSES,
    PACKED,
    PADDED_ONLY,
    gradients,
    labels_of,
    largest,
    largest_difference,
    table_of,
    tiny_encoder,
)

LENGTHS = (5, 1, 22, 9, 9, 2)
BOTH = [("packed", family) for family in PACKED] + [("padded", family) for family in [*PACKED, *PADDED_ONLY]]
fast = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
some_rows = st.lists(st.integers(0, len(LENGTHS) - 1), min_size=1, max_size=9)


@pytest.fixture(params=BOTH, ids=[f"{kind} {family}" for kind, family in BOTH])
def subject(request):
    """One forward pass, its encoder and a split."""
    kind, family = request.param
    encoder = tiny_encoder(family)
    encoder.model.eval()
    encoder.model.requires_grad_(True)
    encoder.model.zero_grad()
    return FORWARDS[kind](encoder.model), encoder, table_of(encoder, LENGTHS)


@pytest.fixture
def each_alone(subject):
    forward, _, table = subject
    with torch.no_grad():
        return torch.cat([forward(table, [row]) for row in range(len(table))])


def test_a_single_text_gives_one_row_of_classes(subject):
    forward, _, table = subject
    assert all(forward(table, [row]).shape == (1, N_CLASSES) for row in range(len(table)))


@fast
@given(rows=some_rows)
def test_texts_may_come_in_any_order_and_again(each_alone, subject, rows):
    forward, _, table = subject
    logits = forward(table, rows)
    assert logits.shape == (len(rows), N_CLASSES)
    assert torch.allclose(logits, each_alone[rows], rtol=1e-11, atol=1e-12)


def test_rows_may_be_a_list_a_range_or_a_tensor(each_alone, subject):
    forward, _, table = subject
    for rows in ([3, 1], range(3, 0, -2), torch.tensor([3, 1])):
        assert torch.allclose(forward(table, rows), each_alone[[3, 1]], rtol=1e-11, atol=1e-12)


def test_the_second_text_of_a_pair_is_distinguished_from_the_first(subject):
    forward, encoder, table = subject
    if not encoder.takes_token_types:
        assert table.token_type_ids is None
        return
    single = type(table)(
        table.input_ids, torch.zeros_like(table.token_type_ids), table.lengths, table.starts, table.pad_token_id
    )
    without = type(table)(table.input_ids, None, table.lengths, table.starts, table.pad_token_id)
    assert not torch.allclose(forward(table, [2]), forward(single, [2]))
    assert torch.equal(forward(single, [2]), forward(without, [2]))


def test_micro_batches_add_up_to_the_gradients_of_the_batch(subject):
    forward, encoder, table = subject
    labels, found = labels_of(table), []
    for size in (6, 1, 4):
        encoder.model.zero_grad()
        for start in range(0, 6, size):
            rows = range(start, min(start + size, 6))
            (F.cross_entropy(forward(table, rows), labels[list(rows)], reduction="sum") / 6).backward()
        found.append(gradients(encoder.model))
    assert all(largest_difference(some, found[0]) <= 1e-12 * largest(found[0]) for some in found[1:])


def test_gradients_reach_every_trainable_parameter_and_no_other(subject):
    forward, encoder, table = subject
    encoder.model.requires_grad_(False)
    trainable = set()
    for address in reversed(encoder.anatomy.addresses):  # from the head down
        trainable.update(encoder.anatomy.parameters[address])
        for name in trainable:
            encoder.model.get_parameter(name).requires_grad_(True)
        encoder.model.zero_grad()
        F.cross_entropy(forward(table, range(6)), labels_of(table)).backward()
        assert gradients(encoder.model).keys() == trainable


def test_every_weight_is_the_models_own(subject):
    kind, model, table = type(subject[0]), copy.deepcopy(subject[1].model), subject[2]
    forward = kind(model)
    before = {name: parameter.data_ptr() for name, parameter in model.named_parameters()}
    first = forward(table, range(6))
    F.cross_entropy(first, labels_of(table)).backward()
    torch.optim.SGD(model.parameters(), lr=1e-3).step()
    learned = forward(table, range(6)).detach()
    assert not torch.equal(learned, first)
    assert torch.equal(learned, kind(copy.deepcopy(model))(table, range(6)).detach())
    assert {name: parameter.data_ptr() for name, parameter in model.named_parameters()} == before


def test_an_evaluation_before_training_does_not_prevent_it(subject):
    forward, encoder, _ = subject
    table = table_of(encoder, LENGTHS, seed=5)  # its first use is the evaluation
    with torch.inference_mode():
        logits_before = forward(table, range(6)).clone()
    logits = forward(table, range(6))
    logits.sum().backward()
    assert torch.equal(logits.detach(), logits_before)


@pytest.mark.parametrize("kind", FORWARDS)
@pytest.mark.parametrize("family", PACKED)
@pytest.mark.parametrize("where", ["hidden", "attention", "head"])
def test_dropout_applies_in_training_only(kind, family, where):
    encoder = tiny_encoder(family, **{where: 0.3})
    forward, table = FORWARDS[kind](encoder.model), table_of(encoder, LENGTHS)
    with torch.no_grad():
        encoder.model.train()
        assert forward(table, [2] * 32).std(0).min() > 1e-3
        encoder.model.eval()
        assert forward(table, [2] * 32).std(0).max() < 1e-12


def state(encoder):
    words = encoder.model.get_input_embeddings()
    return {id(p): p.detach().clone() for p in encoder.model.parameters()}, words.padding_idx, words.num_embeddings


@pytest.mark.parametrize("raises", [False, True])
def test_a_restricted_vocabulary_changes_no_logits_and_is_restored(subject, raises):
    forward, encoder, table = subject
    whole, padding_idx, n_words = state(encoder)
    keys, random = list(encoder.model.state_dict()), torch.get_rng_state()
    before = forward(table, range(6)).detach()
    try:
        with forward.restrict_vocabulary([table]):
            inside = forward(table, range(6)).detach()
            if raises:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    after, *rest = state(encoder)
    assert rest == [padding_idx, n_words]
    assert after.keys() == whole.keys()
    assert all(torch.equal(after[key], whole[key]) for key in whole)
    assert list(encoder.model.state_dict()) == keys
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(inside, before)
    assert torch.equal(forward(table, range(6)).detach(), before)


def test_a_restricted_vocabulary_holds_the_words_of_all_given_splits(subject):
    forward, encoder, table = subject
    other = table_of(encoder, (4, 7), seed=9)
    before = forward(other, range(2)).detach()
    with forward.restrict_vocabulary([table, other]):
        assert torch.equal(forward(other, range(2)).detach(), before)


def test_in_a_restricted_vocabulary_the_padding_id_gets_no_gradient(subject):
    forward, encoder, _ = subject
    table = table_of(encoder, LENGTHS, padding_inside=True)
    words = encoder.model.get_input_embeddings()
    with forward.restrict_vocabulary([table]):
        forward(table, range(6)).sum().backward()
        assert words.weight.grad is not None
        untouched = (words.weight.grad == 0).all(1)
        assert untouched.sum() >= 1
        assert words.padding_idx is not None
        assert untouched[words.padding_idx]


def test_known_families_are_packed_and_all_others_use_transformers():
    assert all(isinstance(forward_of(tiny_encoder(family).model, 0), PackedForward) for family in PACKED)
    assert all(isinstance(forward_of(tiny_encoder(family).model, 0), PaddedForward) for family in PADDED_ONLY)
