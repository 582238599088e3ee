"""The packed forward pass is taken where it computes what transformers does, by one comparison a loaded model."""

import logging

import pytest
import torch

from finetune_alf.encoder.adapters.inject import with_adapter
from finetune_alf.encoder.heads import with_task_heads
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.rates import LayerRates
from finetune_alf.recipe import HeadsSpec, LoraAdapter
from finetune_alf.recipe.task_plans import HeadShape
from finetune_alf.train import fit as fit_module
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.agreement import is_packed
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from finetune_alf.train.forward.protocol import forward_of
from finetune_alf.train.fused import fusion_key
from tiny import TINY_BERT, task_splits, tiny_recipe
from tiny_families import DISTILBERT_SHAPE, PACKED, PADDED_ONLY, SHAPE

DECODERS = {family: {**shape, "is_decoder": True} for family, shape in PACKED.items() if family != "distilbert"}
SAME_MATHEMATICS = {
    "another activation": {**SHAPE, "hidden_act": "relu"},
    "another epsilon": {**SHAPE, "layer_norm_eps": 0.1},
    "feed-forward in chunks": {**SHAPE, "chunk_size_feed_forward": 2},
    "one type of token": {**SHAPE, "type_vocab_size": 1},
    "two positions": {**SHAPE, "max_position_embeddings": 2},
}


def load(family, config, n_labels=2):
    return load_encoder(
        RandomEncoder(kind="random", config={"model_type": family.split()[0], **config}, seed=1), n_labels
    )


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, "finetune_alf")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(("family", "config"), PACKED.items(), ids=list(PACKED))
def test_every_packed_family_computes_what_transformers_does(family, config, warnings):
    assert isinstance(forward_of(load(family, config).model, 0), PackedForward)
    assert not warnings()


@pytest.mark.parametrize("config", SAME_MATHEMATICS.values(), ids=list(SAME_MATHEMATICS))
def test_settings_of_the_modules_themselves_are_followed(config, warnings):
    assert is_packed(load("bert", config).model)
    assert not warnings()


def test_settings_of_distilbert_are_followed():
    assert is_packed(load("distilbert", {**DISTILBERT_SHAPE, "activation": "relu", "sinusoidal_pos_embds": True}).model)


@pytest.mark.parametrize(("family", "config"), DECODERS.items(), ids=list(DECODERS))
def test_an_encoder_for_which_it_is_wrong_is_padded_with_one_warning(family, config, warnings):
    encoder = load(family, config)
    for _ in range(2):
        assert isinstance(forward_of(encoder.model, 0, encoder.identity), PaddedForward)
    (warning,) = warnings()
    assert warning.startswith(f"{encoder.identity}: ")
    assert "differs from transformers' by up to 0.0" in warning


@pytest.mark.parametrize("family", PADDED_ONLY)
def test_other_families_are_padded_without_a_comparison(family, warnings, monkeypatch):
    encoder = load(family, PADDED_ONLY[family])
    monkeypatch.setattr(type(encoder.model), "forward", None)
    assert isinstance(forward_of(encoder.model, 0), PaddedForward)
    assert not warnings()


def test_a_fit_of_such_an_encoder_is_that_of_transformers_and_is_not_fused(monkeypatch):
    encoder, recipe = load("bert", {**TINY_BERT, "is_decoder": True}), tiny_recipe()
    result = fit(encoder, task_splits(encoder), recipe, seed=1)
    monkeypatch.setattr(fit_module, "forward_of", lambda model, *_: PaddedForward(model))
    padded = fit(encoder, task_splits(encoder), recipe, seed=1)
    assert [epoch.train_loss for epoch in result.epochs] == [epoch.train_loss for epoch in padded.epochs]
    rates = LayerRates.of(1e-3, [1e-3] * 3, 1e-3)
    assert fusion_key(encoder, recipe.with_rates(rates)) is None
    assert fusion_key(load("bert", TINY_BERT), recipe.with_rates(rates)) is not None


def test_the_comparison_leaves_the_model_and_the_random_state_as_they_are():
    model = load("bert", PACKED["bert"]).model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for training in (True, False):
        model.train(training)
        state = torch.get_rng_state()
        assert is_packed(model)
        assert torch.equal(torch.get_rng_state(), state)
        assert all(module.training is training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_heads_on_one_body_are_compared_once(monkeypatch):
    encoder, compared = load("bert", PACKED["bert"]), []
    states = PackedForward.last_hidden_state
    monkeypatch.setattr(
        PackedForward, "last_hidden_state", lambda self, table: compared.append(1) or states(self, table)
    )
    headed = with_task_heads(encoder, {"one": HeadShape(2), "other": HeadShape(3)}, HeadsSpec())
    for model in (encoder.model, headed.model, encoder.model):
        assert is_packed(model)
    assert len(compared) == 1
    assert is_packed(with_adapter(encoder, LoraAdapter(kind="lora", rank=2)).model)
