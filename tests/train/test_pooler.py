"""A pre-trained pooler learns at the head's rate, or is frozen."""

import pytest
import torch

from finetune_alf.encoder.load import load_encoder
from finetune_alf.planning.probe import shape_of
from finetune_alf.rates import HEAD, POOLER, LayerRates
from finetune_alf.recipe import AdamW, GradualUnfreezing
from finetune_alf.train.fit import fit
from finetune_alf.train.fused import fit_fused
from tiny import load_tiny, save_tiny, task_splits, tiny_recipe

NAMES = ("bert.pooler.dense.weight", "bert.pooler.dense.bias")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return load_encoder(save_tiny(tmp_path_factory.mktemp("encoder")), 2)


def weights(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


@pytest.mark.parametrize(
    "changes", [{}, {"unfreezing": GradualUnfreezing(), "epochs": 5}, {"optimizer": AdamW(weight_decay=0.1)}]
)
def test_a_frozen_pooler_stays_bit_for_bit_and_the_rest_learns(saved, changes):
    saved.reset(0)
    before = weights(saved)
    result = fit(saved, task_splits(saved), tiny_recipe(pooler="frozen", **changes), seed=1)
    after = weights(saved)
    assert {name for name in after if torch.equal(after[name], before[name])} == set(NAMES)
    assert result.movement[POOLER] == 0.0
    assert result.movement[HEAD] > 0
    learns = fit(saved, task_splits(saved), tiny_recipe(**changes), seed=1)
    assert POOLER not in learns.movement
    assert not torch.equal(weights(saved)[NAMES[0]], before[NAMES[0]])
    n_pooler = sum(before[name].numel() for name in NAMES)
    assert learns.n_trainable_parameters - result.n_trainable_parameters == n_pooler


def test_every_parameter_has_one_address_with_a_frozen_pooler_too(saved):
    frozen = saved.with_pooler("frozen")
    names = [name for some in frozen.anatomy.parameters.values() for name in some]
    assert sorted(names) == sorted(name for name, _ in saved.model.named_parameters())
    assert frozen.anatomy.parameters[POOLER] == NAMES
    assert saved.with_pooler("learns") is saved


def test_a_pooler_that_the_checkpoint_does_not_hold_learns():
    encoder = load_tiny()
    assert encoder.with_pooler("frozen") is encoder
    learns, frozen = (
        fit(encoder, task_splits(encoder), tiny_recipe(pooler=pooler), seed=1) for pooler in ("learns", "frozen")
    )
    assert [epoch.train_loss for epoch in learns.epochs] == [epoch.train_loss for epoch in frozen.epochs]


def test_members_of_a_fused_fit_have_it_frozen_too(saved):
    rates = [LayerRates.of(0.0, [0.0, 0.0, own], 1e-2) for own in (0.0, 1e-3)]
    recipes = [tiny_recipe(pooler="frozen").with_rates(own) for own in rates]
    fused = dict(fit_fused(saved, task_splits(saved), recipes, 7))
    for number, recipe in enumerate(recipes):
        alone = fit(saved, task_splits(saved), recipe, 7)
        assert fused[number].loss == pytest.approx(alone.loss, rel=1e-4)
        assert fused[number].movement[POOLER] == alone.movement[POOLER] == 0.0
        assert fused[number].n_trainable_parameters == alone.n_trainable_parameters


def test_a_frozen_pooler_is_part_of_the_head_and_has_no_optimizer_state(saved):
    learns, frozen = shape_of(saved), shape_of(saved.with_pooler("frozen"))
    assert sorted(frozen.head) == sorted(learns.head)
    assert sum(frozen.parameters.values()) == sum(learns.parameters.values())
    assert frozen.trainable_addresses({HEAD}) == (HEAD,)
