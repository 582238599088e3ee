"""Fits of encoders with adapters: only the intended weights change, with the packed and the padded forward pass."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.compute import Compute
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.source_spec import MiniSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.encoder.adapters.inject import with_adapter
from finetune_alf.errors import EncoderError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, UniformRates, adapter
from finetune_alf.recipe import GradualUnfreezing, HoulsbyAdapter, LoraAdapter
from finetune_alf.train import frozen_features
from finetune_alf.train.fit import fit
from finetune_alf.train.forward.packed import PackedForward
from finetune_alf.train.forward.padded import PaddedForward
from tiny import load_tiny, task_splits, tiny_recipe, tiny_spec
from tiny_families import gradients, labels_of, largest, largest_difference, tables_of, tiny_encoder

EXACT = 1e-12  # of the largest gradient, in fp64
ADAPTERS = [HoulsbyAdapter(width=3), LoraAdapter(rank=2)]
RATES = UniformRates(rate=0.05, head=0.05)


@pytest.fixture(params=ADAPTERS, ids=lambda spec: spec.kind)
def spec(request):
    return request.param


@pytest.fixture
def adapted(loaded, spec):
    return with_adapter(loaded, spec)


def perturbed(family, spec):
    """Return an adapted encoder in fp64 whose adapters are not at their initial values, up-projections included."""
    encoder = with_adapter(tiny_encoder(family), spec)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in encoder.model.parameters():
            parameter += 0.4 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return encoder


def step(encoder, forward, table):
    encoder.model.zero_grad()
    logits = forward(table, range(len(table)))
    F.cross_entropy(logits, labels_of(table)).backward()
    return logits.detach(), gradients(encoder.model)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
@settings(max_examples=5, deadline=None)
@given(data=st.data(), kind=st.sampled_from(ADAPTERS), all_trainable=st.booleans())
def test_packed_takes_the_step_of_padded(family, data, kind, all_trainable):
    encoder = perturbed(family, kind)
    rates = encoder.anatomy.rates(UniformRates(rate=1.0).at(encoder.n_layers))
    for address, names in encoder.anatomy.parameters.items():
        for name in names:
            encoder.model.get_parameter(name).requires_grad_(all_trainable or rates[address] > 0)
    table = data.draw(tables_of(encoder, most=4))
    (logits, packed), (other, padded) = (
        step(encoder, one(encoder.model), table) for one in (PackedForward, PaddedForward)
    )
    assert packed.keys() == padded.keys()
    assert largest_difference(packed, padded) <= EXACT * largest(padded)
    assert (logits - other).abs().max() <= EXACT * other.abs().max()


def changed(encoder, recipe, seed=1):
    """Fit, and return the addresses and the names of changed weights, with the result."""
    encoder.reset(0)
    texts = task_splits(encoder)
    first = {name: tensor.clone() for name, tensor in encoder.initial_weights.loaded.items()}
    result = fit(encoder, texts, recipe, seed)
    now = {name: parameter.detach() for name, parameter in encoder.model.named_parameters()}
    moved = {name for name, tensor in first.items() if not torch.equal(tensor, now[name])}
    moved |= {name for name in now if (name not in first and ".up." in name) or "lora_B" in name if now[name].any()}
    return {address for address, names in encoder.anatomy.parameters.items() if moved & {*names}}, moved, result


def test_a_fit_changes_adapters_norms_and_head_and_nothing_else(adapted, spec):
    _, moved, result = changed(adapted, tiny_recipe(rates=RATES, adapter=spec))
    trainable = {
        n for a, names in adapted.anatomy.parameters.items() if a.startswith(("adapter.", "head")) for n in names
    }
    norms = {name for name in trainable if "LayerNorm" in name}
    assert moved <= trainable
    assert norms <= moved
    assert bool(norms) == (spec.kind == "houlsby")
    assert result.n_trainable_parameters == sum(adapted.model.get_parameter(name).numel() for name in trainable)
    assert result.epochs[-1].train_loss < result.epochs[0].train_loss


def test_a_fit_whose_recipe_and_encoder_do_not_have_the_same_adapter_is_refused(loaded, adapted, spec):
    texts, other = task_splits(loaded), HoulsbyAdapter(width=4)
    for encoder, adapter_of_recipe in ((adapted, None), (loaded, spec), (adapted, other)):
        with pytest.raises(EncoderError, match="adapter"):
            fit(encoder, texts, tiny_recipe(adapter=adapter_of_recipe), 1)


def test_an_adapter_whose_layer_has_no_rate_is_frozen(adapted, spec):
    rates = LayerRates.of(0.05, [0.05, 0.0, 0.05], 0.05)
    addresses, _, _ = changed(adapted, tiny_recipe(adapter=spec).with_rates(rates))
    assert adapter(1) not in addresses
    assert {adapter(0), adapter(2)} <= addresses
    assert EMBEDDINGS not in addresses


def test_gradual_unfreezing_unfreezes_the_adapters_from_the_top(adapted, spec):
    for epochs, there in ((1, {adapter(2)}), (2, {adapter(1), adapter(2)})):
        addresses, _, _ = changed(
            adapted, tiny_recipe(rates=RATES, adapter=spec, unfreezing=GradualUnfreezing(), epochs=epochs)
        )
        assert {place for place in addresses if place != HEAD} == there


def test_cached_outputs_of_frozen_adapters_change_nothing(spec):
    encoder = with_adapter(load_tiny(dropout=0.0), spec)
    recipe = tiny_recipe(rates=RATES, adapter=spec, unfreezing=GradualUnfreezing())
    results = [
        fit(encoder, task_splits(encoder), recipe.model_copy(update={"frozen_dropout": f}), 1) for f in ("on", "off")
    ]
    losses = [[record.train_loss for record in result.epochs] for result in results]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_no_dropout_below_the_lowest_trainable_adapter_with_and_without_cached_features(spec, monkeypatch):
    encoder = with_adapter(load_tiny(dropout=0.5), spec)
    recipe = tiny_recipe(adapter=spec, frozen_dropout="off").with_rates(LayerRates.of(0.0, [0.0, 0.0, 0.05], 0.05))
    kept = fit(encoder, task_splits(encoder), recipe, 1)
    monkeypatch.setattr(frozen_features, "MAX_FEATURES_BYTES", 0)
    computed = fit(encoder, task_splits(encoder), recipe, 1)
    with_dropout = fit(encoder, task_splits(encoder), recipe.model_copy(update={"frozen_dropout": "on"}), 1)
    losses = [[record.train_loss for record in result.epochs] for result in (kept, computed, with_dropout)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] != pytest.approx(losses[2], rel=1e-3)


SAMPLE = SampleSpec(
    source=MiniSource(kind="mini", domain="films"),
    n_train=16,
    n_validation=16,
    n_confirmation=16,
    n_test=40,
    max_train_frac=0.2,
)


def test_a_fit_runner_caches_encoders_with_and_without_adapters_and_fuses_no_adapters(tmp_path):
    card = prepare_sample("films", SAMPLE, tmp_path / "films")
    fit_runner = FitRunner({card.digest: tmp_path / "films"}, Compute("cpu", "fp32", n_threads=1))

    def job(key, **changes):
        return FitJob(key, tiny_recipe(epochs=1, **changes), tiny_spec(), card.digest, 1, "fp32")

    def outcome_of(result):
        return result.predictions, result.loss, [record.train_loss for record in result.epochs]

    bare = outcome_of(fit_runner(job("bare"), lambda metrics: True))
    houlsby, lora = (job(spec.kind, adapter=spec, rates=RATES) for spec in ADAPTERS)
    solo = {one.key: outcome_of(fit_runner(one, lambda metrics: True)) for one in (houlsby, lora)}
    assert solo["houlsby"] != solo["lora"] != bare
    assert outcome_of(fit_runner(job("bare"), lambda metrics: True)) == bare
    twice = [houlsby, job("houlsby again", adapter=ADAPTERS[0], rates=UniformRates(rate=0.01))]
    outcomes = {one.job.key: one.result for one in fit_runner.run_fused(twice, lambda job, metrics: True)}
    assert outcome_of(outcomes["houlsby"]) == solo["houlsby"]
    assert outcome_of(outcomes["houlsby again"]) != solo["houlsby"]
