"""Fits on texts with any number of classes: transformers' own loss and gradients, in every forward pass."""

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.encoder.load import load_encoder
from finetune_alf.metrics import sample_metric
from finetune_alf.rates import LayerRates, UniformRates
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.evaluate import evaluate, evaluate_fused, member_losses
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.fused import FusedForward
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward, padded
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.fused import fit_fused
from finetune_alf.train.objective import MEAN_BINARY_CROSS_ENTROPY
from finetune_alf.train.parts import TaskSplits
from tiny import N_LAYERS, tiny_recipe, tiny_spec
from tiny_families import FORWARDS, N_CLASSES, PACKED, gradients, largest, largest_difference, table_of, tiny_encoder

EXACT = 1e-12  # relative to the model's largest gradient, in fp64
SETS = ((0, 2), (), (1,), (0, 1, 2), (2,), (1, 2))
WORDS = ("warm", "sad", "kind")
HIGH = LayerRates.of(1e-2, [1e-2] * N_LAYERS, 1e-2)
TOP = LayerRates.of(0.0, [0.0, 0.0, 1e-2], 1e-2)
HEAD_ONLY = LayerRates.of(0.0, [0.0] * N_LAYERS, 1e-2)


def membership(dtype=torch.float64):
    return MEAN_BINARY_CROSS_ENTROPY.labels_tensor(SETS, N_CLASSES, torch.device("cpu")).to(dtype)


def transformers_step(encoder, table):
    """The loss of transformers for `multi_label_classification`, and its gradients."""
    model, rows = encoder.model, range(len(table))
    before, model.config.problem_type = model.config.problem_type, "multi_label_classification"
    model.zero_grad()
    loss = model(**padded(table, rows), labels=membership()).loss
    loss.backward()
    model.config.problem_type = before
    return loss.item(), gradients(model)


@pytest.mark.parametrize("kind", FORWARDS)
@pytest.mark.parametrize("family", PACKED)
def test_loss_and_gradients_are_those_of_transformers(family, kind):
    encoder = tiny_encoder(family)
    table = table_of(encoder, [5, 1, 22, 9, 2, 9])
    expected, expected_gradients = transformers_step(encoder, table)
    encoder.model.zero_grad()
    outputs = FORWARDS[kind](encoder.model)(table, range(6))
    loss = MEAN_BINARY_CROSS_ENTROPY.losses(outputs, membership()).sum() / 6
    loss.backward()
    assert loss.item() == pytest.approx(expected, rel=EXACT)
    bound = EXACT * largest(expected_gradients)
    assert largest_difference(gradients(encoder.model), expected_gradients) <= bound


@pytest.mark.parametrize("family", PACKED)
def test_each_fused_member_has_the_loss_and_gradients_of_transformers(family):
    encoder = tiny_encoder(family)
    table = table_of(encoder, [5, 1, 22, 9, 2, 9])
    named = dict(encoder.model.named_parameters())
    stacked = {name: torch.stack([each.detach()] * 2).requires_grad_() for name, each in named.items()}
    forward = FusedForward(encoder.model, 5)
    outputs = forward.fused(stacked, table, forward.prepare(table, [range(6)])[0])  # (K, rows, classes)
    own = MEAN_BINARY_CROSS_ENTROPY.losses(outputs.flatten(0, 1), torch.cat([membership()] * 2)).view(2, 6)
    (own.sum(1) / 6).sum().backward()
    expected, expected_gradients = transformers_step(encoder, table)
    for member in range(2):
        assert own[member].mean().item() == pytest.approx(expected, rel=EXACT)
        found = {name: each.grad[member] for name, each in stacked.items()}
        bound = EXACT * largest(expected_gradients)
        assert largest_difference(expected_gradients, found) <= bound


@given(st.lists(st.lists(st.floats(-30, 30), min_size=3, max_size=3), min_size=6, max_size=6))
@settings(max_examples=20, deadline=None)
def test_the_loss_of_members_is_the_mean_over_classes_text_by_text(outputs):
    one = torch.tensor(outputs)
    found = member_losses(torch.stack([one, -one]), membership(torch.float32), MEAN_BINARY_CROSS_ENTROPY)
    for member, own in zip(found, (one, -one), strict=True):
        for text in range(6):
            loss = torch.nn.BCEWithLogitsLoss()(own[text], membership(torch.float32)[text])
            assert member[text].item() == pytest.approx(loss.item(), rel=1e-5, abs=1e-7)


def test_labels_and_predictions_are_sets_of_classes_in_order():
    outputs = torch.tensor([[0.1, -2.0, 3.0], [-1.0, -1.0, 0.0]])
    objective = MEAN_BINARY_CROSS_ENTROPY
    assert objective.labels_of(objective.predict(outputs)) == ((0, 2), ())
    assert objective.labels_of(membership()) == SETS


@functools.cache
def loaded(dtype=torch.float32):
    encoder = load_encoder(tiny_spec(dropout=0.0), len(WORDS))
    encoder.model.to(dtype)
    return encoder


def planted(encoder):
    """Texts whose classes are the words in them."""
    sets = [tuple(n for n in range(3) if bits >> n & 1) for bits in range(8)] * 3
    texts = tuple(" ".join(["people", *(WORDS[n] for n in own), "here"]) for own in sets)
    objective = MEAN_BINARY_CROSS_ENTROPY
    table = TokenTable.of(encoder.tokenize(texts, 12), torch.device("cpu"))
    split = TokenizedSplit(table, objective.labels_tensor(sets, 3, torch.device("cpu")), objective)
    return TaskSplits(split, split, split, sample_metric("micro_f1", 3)), tuple(sets)


LEARNED = tiny_recipe(epochs=12, batch=6, pooling="mean", rates=UniformRates(rate=3e-3, head=3e-2))


def test_classes_that_are_words_are_learned():
    splits, sets = planted(loaded())
    result = fit(loaded(), splits, LEARNED, seed=1)
    losses = [record.train_loss for record in result.epochs]
    assert losses[-1] < 0.5 * losses[0]
    assert result.score == sample_metric("micro_f1", 3)(sets, result.predictions) > 0.85
    assert result.epochs[-1].validation_score == result.score
    assert (result.accuracy, result.balanced_accuracy, result.epochs[0].validation_accuracy) == (None, None, None)


def test_a_micro_batch_takes_the_steps_of_the_whole_batch():
    encoder = loaded(torch.float64)
    splits, _ = planted(encoder)
    recipe = LEARNED.model_copy(update={"epochs": 2})
    whole, parts = (fit(encoder, splits, recipe, seed=1, micro_batch=size) for size in (None, 4))
    assert [one.train_loss for one in parts.epochs] == pytest.approx([one.train_loss for one in whole.epochs], rel=1e-5)


def test_fused_fits_are_those_of_each_recipe_alone():
    encoder = loaded(torch.float64)
    splits, _ = planted(encoder)
    recipes = [tiny_recipe(epochs=2, batch=6).with_rates(rates) for rates in (HIGH, TOP, HEAD_ONLY)]
    fused = dict(fit_fused(encoder, splits, recipes, 7))
    for number, recipe in enumerate(recipes):
        alone = fit(encoder, splits, recipe, 7)
        assert fused[number].predictions == alone.predictions
        assert fused[number].score == alone.score
        assert fused[number].loss == pytest.approx(alone.loss, rel=1e-5)


def test_fused_evaluation_is_that_of_each_member():
    encoder = tiny_encoder("bert")
    table = table_of(encoder, [5, 1, 22, 9, 2, 9])
    split = TokenizedSplit(table, membership(), MEAN_BINARY_CROSS_ENTROPY)
    stacked = {name: torch.stack([each.detach()] * 2) for name, each in encoder.model.named_parameters()}
    alone = evaluate(PackedForward(encoder.model), split, "fp32", batch=2)
    both = evaluate_fused(FusedForward(encoder.model), stacked, split, "fp32", batch=2, features=None)
    for one in both:
        assert (one.labels, one.predictions) == (SETS, alone.predictions)
        assert one.loss == pytest.approx(alone.loss, rel=1e-5)
    assert evaluate(PaddedForward(encoder.model), split, "fp32").predictions == alone.predictions
