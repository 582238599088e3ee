"""Uneven classes: losses weighted by class, and texts drawn in equal numbers of each class, in every way to fit."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_fused import HIGH, RAGGED, TOP, assert_same_results, both, wide

from finetune_alf.metrics import sample_metric
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import SGD, Contrastive
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.padded import padded
from finetune_alf.train.order import BalancedOrder
from finetune_alf.train.parts import TaskSplits
from tiny import load_tiny, tiny_recipe, tokenized_split
from tiny_families import labels_of, table_of, tiny_encoder

WEIGHTS = (0.5, 3.0, 0.25)
RATE = 0.125


def uneven(encoder, weights=None, sampling="natural"):
    """Return splits whose training split has few texts of class 1."""
    whole = tokenized_split(encoder)
    frequent, rare = ((whole.labels == label).nonzero()[:, 0].tolist() for label in (0, 1))
    rows = [*frequent, *rare[:3]]
    train = TokenizedSplit(whole.table.select(rows), whole.labels[rows]).with_classes(weights, sampling)
    return TaskSplits(train, whole, whole, sample_metric("balanced_accuracy", 2))


def weights_of(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


@pytest.mark.parametrize("micro_batch", [None, 2])
@pytest.mark.parametrize("family", ["bert", "modernbert"])  # packed, and padded without dropout
def test_a_step_is_that_of_torchs_weighted_cross_entropy(family, micro_batch):
    encoder = tiny_encoder.__wrapped__(family)  # another than that of other tests, whose weights stay
    table = table_of(encoder, [5, 1, 22, 9, 2])
    split = TokenizedSplit(table, labels_of(table))
    recipe = tiny_recipe(optimizer=SGD(), rates=UniformRates(rate=RATE), epochs=1, batch=5, clip=None)
    splits = TaskSplits(split.with_classes(WEIGHTS, "natural"), split, split)
    result = fit(encoder, splits, recipe, 7, micro_batch=micro_batch)
    fitted = weights_of(encoder)

    encoder.reset(child_seed(7, "head"))
    outputs = torch.cat([encoder.model(**padded(table, [row])).logits for row in range(len(table))])
    loss = torch.nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS, dtype=outputs.dtype))(outputs, split.labels)
    loss.backward()
    used = [(name, p) for name, p in encoder.model.named_parameters() if p.grad is not None]
    assert len(used) > 20
    for name, parameter in used:
        assert torch.allclose(fitted[name], parameter - RATE * parameter.grad, rtol=0, atol=1e-7), name
    assert result.epochs[0].train_loss == pytest.approx(loss.item(), rel=1e-6)


@pytest.mark.parametrize("recipe", [tiny_recipe(), tiny_recipe(objective=Contrastive(n_pairs=4), pooling="mean")])
def test_weights_of_1_change_no_bit(recipe):
    encoder, found = load_tiny(), []
    for weights in (None, (1.0, 1.0)):
        result = fit(encoder, uneven(encoder, weights), recipe, 7)
        found.append(([epoch.train_loss for epoch in result.epochs], result.loss, weights_of(encoder)))
    (losses, loss, plain), (other_losses, other_loss, weighted) = found
    assert losses == other_losses
    assert loss == other_loss
    assert all(torch.equal(plain[name], weighted[name]) for name in plain)


@pytest.mark.parametrize(
    ("weights", "sampling"), [((0.25, 3.0), "natural"), pytest.param(None, "balanced", marks=pytest.mark.long)]
)
def test_fused_fits_are_those_of_each_member_alone(weights, sampling):
    splits = uneven(wide(), weights, sampling)
    assert_same_results(*both(wide(), splits, tiny_recipe(), [HIGH, TOP, RAGGED], micro_batch=3), rounded=1e-4)


@pytest.mark.parametrize("recipe", [tiny_recipe(), tiny_recipe(objective=Contrastive(n_pairs=4), pooling="mean")])
def test_weights_raise_the_predictions_of_a_class(recipe):
    encoder = load_tiny()
    rare = [fit(encoder, uneven(encoder, weights), recipe, 7).predictions.count(1) for weights in (None, (1e-3, 1e3))]
    assert rare[0] < rare[1] == 16


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 99))
def test_a_balanced_pass_has_every_class_once_in_each_round_and_no_text_again_before_its_class_is_through(labels, seed):
    order = BalancedOrder(labels)
    rows = order.draw(torch.Generator().manual_seed(seed))
    assert len(rows) == len(order) == len(labels)
    classes = sorted(set(labels))
    for start in range(0, len(rows) - len(classes) + 1, len(classes)):
        assert sorted(labels[row] for row in rows[start : start + len(classes)]) == classes
    for label in classes:
        own = [row for row in rows if labels[row] == label]
        n = labels.count(label)
        for start in range(0, len(own), n):
            some = own[start : start + n]
            assert len(set(some)) == len(some)
        assert not own or max(Counter(own).values()) == -(-len(own) // n)


def test_a_balanced_order_is_another_one_in_another_pass_and_reaches_all_texts():
    labels = [0] * 20 + [1] * 4
    generator = torch.Generator().manual_seed(1)
    passes = [BalancedOrder(labels).draw(generator) for _ in range(12)]
    assert len({tuple(rows) for rows in passes}) == 12
    assert {row for rows in passes for row in rows} == set(range(24))
