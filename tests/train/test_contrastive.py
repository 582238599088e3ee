"""A contrastive fit: pairs of texts, squared error of their similarity, and a logistic head at each evaluation."""

import json

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression
from test_exactness import own_inputs

from finetune_alf.encoder.text_heads import no_head
from finetune_alf.errors import DataError, InputError
from finetune_alf.rates import HEAD, FrozenBelow, LayerRates
from finetune_alf.recipe import SGD, Contrastive, Recipe, TasksSpec
from finetune_alf.recipe.classes import Classes
from finetune_alf.recipe.task_plans import TaskInfo, task_plans
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.contrastive import COSINE, paired
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.fused import fusion_key
from finetune_alf.train.parts import TaskSplits
from tiny import N_LAYERS, load_tiny, task_splits, tiny_recipe, tokenized_split
from tiny_families import gradients, largest, largest_difference, table_of, tiny_encoder

FOUR = Contrastive(n_pairs=4)
LENGTHS = (5, 1, 22, 9, 9, 2)
ALIKE = [0, 1, 0, 1, 1, 2]


def contrastive(spec=FOUR, **changes):
    return tiny_recipe(pooling="mean", objective=spec, **changes)


def split_of(encoder):
    return TokenizedSplit(table_of(encoder, LENGTHS), torch.tensor(ALIKE))


@given(
    st.lists(st.integers(0, 2), min_size=2, max_size=20).filter(lambda labels: len(set(labels)) > 1),
    st.integers(1, 9),
    st.floats(0.05, 0.95),
    st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_every_text_is_the_first_of_as_many_pairs_of_each_kind(labels, n_pairs, positive_frac, seed):
    encoder = tiny_encoder("bert")
    spec = Contrastive(n_pairs=n_pairs, positive_frac=positive_frac)
    split = TokenizedSplit(table_of(encoder, [1] * len(labels)), torch.tensor(labels))
    pairs = paired(split, spec, seed)
    assert len(pairs) == len(labels) * n_pairs
    for row, label in enumerate(labels):
        own = [
            (two, target) for (one, two), target in zip(pairs.pairs, pairs.labels.tolist(), strict=True) if one == row
        ]
        assert [target for _, target in own].count(1.0) == spec.n_positive
        assert all((labels[two] == label) == bool(target) for two, target in own)
        assert labels.count(label) == 1 or all(two != row for two, _ in own)
    assert paired(split, spec, seed).pairs == pairs.pairs
    assert pairs.table_rows([0, 1]) == [0, 0 if n_pairs > 1 else 1, pairs.pairs[0][1], pairs.pairs[1][1]]


@pytest.mark.parametrize("family", ["bert", "distilbert", "electra"])
def test_a_step_has_the_loss_and_gradients_of_transformers_by_hand(family):
    encoder = tiny_encoder(family)
    encoder.model.eval()
    encoder.model.requires_grad_(True)
    split = split_of(encoder)
    pairs = paired(split, FOUR, 3)
    found = []
    for kind in (PackedForward, PaddedForward):
        forward = PackedForward(encoder.model, 0, "mean", no_head)
        if kind is PaddedForward:
            forward = PaddedForward(encoder.model, "mean", no_head)
        encoder.model.zero_grad()
        loss = COSINE.losses(forward(split.table, pairs.table_rows(range(24))), pairs.labels.double()).mean()
        loss.backward()
        found.append((loss.item(), gradients(encoder.model)))
    encoder.model.zero_grad()
    body = encoder.model.base_model
    means = [body(**own_inputs(split.table, row)).last_hidden_state[0].mean(0) for row in range(6)]
    errors = [
        (F.cosine_similarity(means[one], means[two], dim=0) - int(ALIKE[one] == ALIKE[two])) ** 2
        for one, two in pairs.pairs
    ]
    loss = torch.stack(errors).mean()
    loss.backward()
    expected = gradients(encoder.model)
    for own, grads in found:
        assert own == pytest.approx(loss.item(), rel=1e-12)
        assert grads.keys() == expected.keys()
        assert largest_difference(grads, expected) <= 1e-12 * largest(expected)


def test_the_score_is_that_of_scikit_learns_logistic_regression_on_the_features():
    encoder = load_tiny(0.0)
    train = tokenized_split(encoder)
    scored = TokenizedSplit(train.table, 1 - train.labels)  # every prediction is wrong where it is right on train
    result = fit(encoder, TaskSplits(train, train, scored), contrastive(), seed=1)
    encoder.model.eval()
    with torch.no_grad():
        features = PackedForward(encoder.model, 0, "mean", no_head)(train.table, range(len(train))).numpy()
    model = LogisticRegression(max_iter=2000).fit(features, train.labels)
    assert result.predictions == tuple(model.predict(features).tolist())
    assert result.score == pytest.approx(1 - model.score(features, train.labels))
    assert result.epochs[-1].validation_score == pytest.approx(model.score(features, train.labels))


def test_a_fit_learns_and_has_as_many_steps_as_there_are_batches_of_pairs(loaded):
    result = fit(loaded, task_splits(loaded), contrastive(epochs=3, batch=8), seed=1)
    assert result.n_steps == 3 * 16 * 4 // 8
    losses = [epoch.train_loss for epoch in result.epochs]
    assert losses[-1] < losses[0] / 2
    assert result.score == 1.0
    again = fit(loaded, task_splits(loaded), contrastive(epochs=3, batch=8), seed=1)
    other = fit(loaded, task_splits(loaded), contrastive(epochs=3, batch=8), seed=2)
    assert [epoch.train_loss for epoch in again.epochs] == losses != [epoch.train_loss for epoch in other.epochs]


def test_rates_by_layer_apply_and_the_models_own_head_stays(loaded):
    loaded.reset(0)
    before = {name: p.detach().clone() for name, p in loaded.model.named_parameters()}
    rates = LayerRates.of(0.0, [1e-3, 0.0, 1e-3], 1e-2)
    result = fit(loaded, task_splits(loaded), contrastive().with_rates(rates), seed=1)
    assert {address for address, moved in result.movement.items() if moved} == {"layer.0", "layer.2"}
    names = loaded.anatomy.parameters["layer.1"]
    assert all(torch.equal(before[name], loaded.model.get_parameter(name)) for name in names)
    assert result.movement[HEAD] == 0.0


@pytest.mark.parametrize("micro_batch", [1, 3])
def test_micro_batches_of_pairs_take_the_same_steps(loaded_without_dropout, micro_batch):
    encoder = loaded_without_dropout
    whole, parts = (
        fit(encoder, task_splits(encoder), contrastive(epochs=2), seed=1, micro_batch=size)
        for size in (None, micro_batch)
    )
    assert [e.train_loss for e in parts.epochs] == pytest.approx([e.train_loss for e in whole.epochs], rel=1e-3)


def test_frozen_layers_are_computed_once_and_change_nothing():
    encoder = load_tiny(0.0)
    rates = FrozenBelow(n_frozen=N_LAYERS - 1, rate=1e-3, head=0.0)
    on, off = (
        fit(encoder, task_splits(encoder), contrastive(epochs=2, rates=rates, frozen_dropout=dropout), seed=1)
        for dropout in ("on", "off")
    )
    assert [e.train_loss for e in on.epochs] == pytest.approx([e.train_loss for e in off.epochs], rel=1e-3)


def test_a_contrastive_fit_that_diverges_is_told_as_such(loaded):
    rates = LayerRates.of(0.0, [1e-2, 0.0, 1e-2], 0.0)
    recipe = contrastive(epochs=2, optimizer=SGD(weight_decay=1e38)).with_rates(rates)
    result = fit(loaded, task_splits(loaded), recipe, seed=1)
    assert (result.stopped, result.score, result.movement) == ("diverged", None, None)


def test_contrastive_fits_are_not_fused(loaded):
    assert fusion_key(loaded, tiny_recipe(pooling="mean")) is not None
    assert fusion_key(loaded, contrastive()) is None


def test_texts_of_one_class_are_refused():
    encoder = tiny_encoder("bert")
    split = TokenizedSplit(table_of(encoder, LENGTHS), torch.zeros(6, dtype=torch.long))
    with pytest.raises(DataError, match="same class"):
        paired(split, FOUR, 1)


def test_scores_and_several_tasks_and_first_tokens_are_refused():
    with pytest.raises(InputError, match=r"recipe\.objective: must be absent where labels are scores"):
        task_plans(contrastive(), {"likeness": TaskInfo(Classes({}), has_pairs=True)}, "accuracy")
    with pytest.raises(ValidationError, match="objective must be absent where tasks are given"):
        contrastive(tasks=TasksSpec())
    given = json.loads(contrastive().model_dump_json()) | {"pooling": "first"}
    with pytest.raises(ValidationError, match="pooling must be mean where an objective is given"):
        Recipe.model_validate_json(json.dumps(given))
