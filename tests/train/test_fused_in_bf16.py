"""Fused fits in bf16: also where a layer that all members freeze lies above one that some of them train."""

import pytest
import torch

from finetune_alf.compute.autocast import autocast
from finetune_alf.rates import LayerRates
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.fused import FusedForward
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.fused import fit_fused
from tiny import task_splits, tiny_recipe
from tiny_families import PACKED, table_of, tiny_encoder

CPU = torch.device("cpu")
FROZEN = {
    "the top layer": [1e-3, 1e-3, 0.0],
    "a layer in the middle": [1e-3, 0.0, 1e-3],
    "all but one": [0.0, 1e-3, 0.0],
}


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("frozen", FROZEN)
def test_layers_that_all_members_freeze(loaded, frozen, pooling):
    rates = [LayerRates.of(0.0, [factor * rate for rate in FROZEN[frozen]], 1e-2) for factor in (1, 2)]
    recipes = [tiny_recipe(pooling=pooling).with_rates(own) for own in rates]
    fused = dict(fit_fused(loaded, task_splits(loaded), recipes, 7, precision="bf16"))
    for number, recipe in enumerate(recipes):
        alone = fit(loaded, task_splits(loaded), recipe, 7, precision="bf16")
        assert fused[number].epochs[-1].train_loss == pytest.approx(alone.epochs[-1].train_loss, rel=0.05)


@pytest.mark.parametrize("family", PACKED)
def test_logits_are_those_of_a_single_pass_where_one_layer_is_stacked(family):
    encoder = tiny_encoder(family, dtype=torch.float32)
    table = table_of(encoder, [3, 22, 1, 9, 9])
    own = {name: encoder.model.get_parameter(name).detach() for name in encoder.anatomy.parameters["layer.1"]}
    stacked = {name: torch.stack([weight, weight]) for name, weight in own.items()}
    fused, alone = FusedForward(encoder.model), PackedForward(encoder.model)
    with torch.no_grad(), autocast(CPU, "bf16"):
        (batch,) = fused.prepare(table, [range(len(table))])
        both, expected = fused.fused(stacked, table, batch), alone(table, range(len(table)))
    assert both.dtype == expected.dtype
    assert torch.allclose(both.float(), expected.float().expand_as(both), rtol=0.05, atol=0.05)
