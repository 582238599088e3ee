"""An encoder with adapters: equal outputs until they are trained, exact resets, saved without the encoder."""

import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from finetune_alf.encoder.adapters.inject import merged, with_adapter
from finetune_alf.encoder.adapters.save import (
    SPEC_FILE,
    TENSOR_FILE,
    load_adapter,
    load_bottlenecks,
    save_adapter,
    save_bottlenecks,
)
from finetune_alf.encoder.adapters.target_modules import WITHOUT_QUERY_AND_VALUE
from finetune_alf.encoder.load import load_encoder
from finetune_alf.errors import EncoderError
from finetune_alf.json_files import read_json, write_json
from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, adapter, layer
from finetune_alf.recipe import HoulsbyAdapter, LoraAdapter

HOULSBY, LORA = HoulsbyAdapter(width=3), LoraAdapter(rank=2)
FUSED_QUERY = WITHOUT_QUERY_AND_VALUE
IDS = torch.tensor([[1, 5, 9, 33, 2], [1, 7, 7, 80, 2]])


def weights(encoder):
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


def same(one, other, names=None):
    return all(torch.equal(one[name], other[name]) for name in names or one)


def logits(encoder):
    with torch.no_grad():
        return encoder.model.eval()(input_ids=IDS).logits


def trained_names(encoder):
    addresses = [one for one in encoder.anatomy.addresses if one.startswith(("adapter.", "head"))]
    return {name for address in addresses for name in encoder.anatomy.parameters[address]}


def change_weights(encoder, seed=0):
    """Change all trained weights, as a fit would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name in sorted(trained_names(encoder)):
            parameter = encoder.model.get_parameter(name)
            parameter.add_(torch.randn(parameter.shape, generator=generator))


@pytest.fixture
def bert(random_encoder):
    return load_encoder(random_encoder("bert"), n_labels=3)


@pytest.fixture(params=[HOULSBY, LORA], ids=["houlsby", "lora"])
def spec(request):
    return request.param


def test_an_untrained_adapter_changes_no_output_in_any_family(random_encoder, family, spec):
    encoder = load_encoder(random_encoder(family), n_labels=3)
    if spec is LORA and family in FUSED_QUERY:
        with pytest.raises(EncoderError, match="must have query and value as linear layers"):
            with_adapter(encoder, spec)
        return
    adapted = with_adapter(encoder, spec)
    encoder.reset(5)
    adapted.reset(5)
    assert torch.equal(logits(adapted), logits(encoder))
    change_weights(adapted)
    assert not torch.allclose(logits(adapted), logits(encoder))


def test_every_parameter_of_an_adapted_encoder_has_one_address(random_encoder, family):
    encoder = load_encoder(random_encoder(family), n_labels=3)
    adapted = with_adapter(encoder, HOULSBY)
    laid_out = [name for names in adapted.anatomy.parameters.values() for name in names]
    assert sorted(laid_out) == sorted(name for name, _ in adapted.model.named_parameters())
    n_layers = encoder.n_layers
    assert adapted.n_layers == n_layers
    layers = [layer(i) for i in range(n_layers)] + [adapter(i) for i in range(n_layers)]
    assert adapted.anatomy.addresses == (EMBEDDINGS, *layers, HEAD)


def test_bottlenecks_follow_both_output_projections_and_share_their_address_with_the_norms(bert):
    adapted = with_adapter(bert, HOULSBY)
    inside = {name.partition("layer.1.")[2] for name in adapted.anatomy.parameters[adapter(1)]}
    places = [f"{output}.adapter.{part}" for output in ("attention.output.dense", "output.dense") for part in PARTS]
    norms = [f"{output}.LayerNorm.{end}" for output in ("attention.output", "output") for end in ("weight", "bias")]
    assert inside == {*places, *norms}
    assert adapted.model.get_parameter("bert.encoder.layer.1.output.dense.adapter.down.weight").shape == (3, 8)
    assert {name for name, _ in bert.model.named_parameters()} < {n for n, _ in adapted.model.named_parameters()}


PARTS = ("down.weight", "down.bias", "up.weight", "up.bias")


def test_lora_adapts_query_and_value_and_leaves_the_norms_frozen(bert):
    adapted = with_adapter(bert, LORA)
    inside = {name.partition("layer.1.")[2] for name in adapted.anatomy.parameters[adapter(1)]}
    assert inside == {
        f"attention.self.{at}.lora_{which}.default.weight" for at in ("query", "value") for which in ("A", "B")
    }
    assert sum("LayerNorm" in name for name in adapted.anatomy.parameters[layer(1)]) == 4


def test_an_adapter_has_its_layers_rate_and_the_body_is_frozen(bert, spec):
    rates = with_adapter(bert, spec).anatomy.rates(LayerRates.of(0.1, [0.2, 0.0, 0.4], 0.5))
    assert {address: rate for address, rate in rates.items() if rate} == {
        adapter(0): 0.2,
        adapter(2): 0.4,
        HEAD: 0.5,
    }


def test_the_original_encoder_is_unchanged(bert, spec):
    names = list(bert.model.state_dict())
    before = weights(bert)
    adapted = with_adapter(bert, spec)
    change_weights(adapted)
    assert list(bert.model.state_dict()) == names
    assert same(before, weights(bert))
    assert bert.adapter is None
    assert adapted.adapter == spec
    assert adapted.identity == bert.identity


def test_reset_is_exact_and_another_seed_gives_other_adapters(bert, spec):
    adapted = with_adapter(bert, spec)
    adapted.reset(5)
    before = weights(adapted)
    change_weights(adapted)
    adapted.reset(5)
    assert same(before, weights(adapted))
    adapted.reset(6)
    drawn = {name for name in before if not torch.equal(before[name], adapted.model.get_parameter(name))}
    in_adapters = {name for name in drawn if name not in adapted.anatomy.parameters[HEAD]}
    assert len(in_adapters) == 2 * 3
    assert in_adapters == {name for name in before if name.endswith(("down.weight", "lora_A.default.weight"))}


def test_down_projections_start_small_and_up_projections_at_0(bert):
    adapted = with_adapter(bert, HoulsbyAdapter(width=500))
    parameters = weights(adapted)
    down = torch.cat([p.flatten() for name, p in parameters.items() if name.endswith("down.weight")])
    assert 0.008 < down.std() < 0.01  # the std of a normal distribution truncated at two std is .88
    assert down.abs().max() <= 0.02
    assert not any(p.any() for name, p in parameters.items() if ".up." in name or name.endswith("down.bias"))


def test_adding_an_adapter_leaves_the_global_random_state_unchanged(bert, spec):
    before = torch.random.get_rng_state()
    with_adapter(bert, spec)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_second_adapter_is_refused(bert, spec):
    with pytest.raises(EncoderError, match=f"must have no adapter, but got {spec.kind}"):
        with_adapter(with_adapter(bert, spec), HOULSBY)


def test_lora_without_peft_says_how_to_install_it(bert, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(EncoderError, match=r"PEFT is not installed.*pip install \"finetune-alf\[peft\]\""):
        with_adapter(bert, LORA)


def test_a_saved_adapter_loads_exactly(bert, spec, tmp_path):
    adapted = with_adapter(bert, spec)
    change_weights(adapted)
    save_adapter(adapted, tmp_path / "tuned")
    bert.reset(77)  # another head, which the saved one replaces
    again = load_adapter(bert, tmp_path / "tuned")
    assert again.adapter == spec
    assert same(weights(adapted), weights(again))
    assert torch.equal(logits(adapted), logits(again))


def test_merged_lora_computes_the_same_in_an_encoder_as_it_was(random_encoder, family):
    if family in FUSED_QUERY:
        pytest.skip("has no separate query and value")
    encoder = load_encoder(random_encoder(family), n_labels=3)
    adapted = with_adapter(encoder, LORA)
    change_weights(adapted)
    plain = merged(adapted)
    assert plain.adapter is None
    assert plain.anatomy == encoder.anatomy
    assert {name: each.shape for name, each in weights(plain).items()} == {
        name: each.shape for name, each in weights(encoder).items()
    }
    assert logits(plain) == pytest.approx(logits(adapted), abs=1e-5)
    assert not torch.allclose(logits(plain), logits(encoder), atol=1e-2)
    for each in (plain, encoder):
        each.reset(5)
    assert same(weights(plain), weights(encoder))


def test_there_is_nothing_to_merge_without_lora(bert):
    assert merged(bert) is bert
    adapted = with_adapter(bert, HOULSBY)
    assert merged(adapted) is adapted


def test_bottlenecks_alone_are_saved_and_those_of_another_width_refused_before_they_are_made(bert, tmp_path):
    adapted, file, generator = with_adapter(bert, HOULSBY), tmp_path / TENSOR_FILE, torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name in adapted.initial_weights.adapters:
            parameter = adapted.model.get_parameter(name)
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    save_bottlenecks(adapted, file)
    assert set(load_file(file)) == set(adapted.initial_weights.adapters)
    assert torch.equal(logits(load_bottlenecks(bert, HOULSBY, file)), logits(adapted))
    assert not torch.allclose(logits(adapted), logits(bert))
    with pytest.raises(EncoderError, match=r"must have adapters of width 1000000000000, but got 3\."):
        load_bottlenecks(bert, HoulsbyAdapter(width=10**12), file)


def test_the_files_contain_the_trained_parameters_only(random_encoder, spec, tmp_path):
    encoder = load_encoder(random_encoder("bert", vocab_size=5000, hidden_size=32), n_labels=2)
    adapted = with_adapter(encoder, spec)
    save_adapter(adapted, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {SPEC_FILE, TENSOR_FILE}
    assert set(load_file(tmp_path / TENSOR_FILE)) == trained_names(adapted)
    n_bytes = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert n_bytes < 0.1 * sum(4 * parameter.numel() for parameter in encoder.model.parameters())


def test_an_adapter_of_another_encoder_is_refused_by_name(bert, random_encoder, tmp_path):
    save_adapter(with_adapter(bert, HOULSBY), tmp_path)
    other = load_encoder(random_encoder("bert", seed=9), n_labels=3)
    with pytest.raises(EncoderError, match=f"must be an adapter of {other.identity}, but got one of {bert.identity}"):
        load_adapter(other, tmp_path)


def test_a_head_for_other_classes_is_refused(bert, random_encoder, tmp_path):
    save_adapter(with_adapter(bert, HOULSBY), tmp_path)
    with pytest.raises(EncoderError, match=r"classifier.weight must have the shape \(2, 8\), but got \(3, 8\)"):
        load_adapter(load_encoder(random_encoder("bert"), n_labels=2), tmp_path)


def test_an_encoder_without_an_adapter_has_nothing_to_save(bert, tmp_path):
    with pytest.raises(EncoderError, match="must have an adapter to save"):
        save_adapter(bert, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: (folder / SPEC_FILE).unlink(), "cannot read .*adapter.json"),
        (lambda folder: (folder / TENSOR_FILE).unlink(), "must be a whole safetensors file"),
        (lambda folder: (folder / TENSOR_FILE).write_bytes(b"torn"), "must be a whole safetensors file"),
        (lambda folder: (folder / SPEC_FILE).write_text("{"), "must be as save_adapter writes it"),
        (lambda folder: rewrite(folder, tensors="../../else.safetensors"), "tensors: Extra inputs"),
        (lambda folder: rewrite(folder, adapter={"kind": "houlsby", "width": 0}), "adapter.houlsby.width"),
        (lambda folder: rewrite(folder, adapter={"kind": "houlsby", "width": 4}), "must have the shape"),
        (lambda folder: change(folder, lambda tensors: tensors.popitem()), "is missing"),
        (lambda folder: change(folder, lambda tensors: tensors.update(other=torch.ones(1))), "is none of them"),
        (lambda folder: change(folder, lambda tensors: next(iter(tensors.values())).fill_(torch.nan)), "finite"),
    ],
)
def test_an_invalid_folder_is_refused(bert, tmp_path, harm, message):
    save_adapter(with_adapter(bert, HOULSBY), tmp_path)
    harm(tmp_path)
    with pytest.raises(EncoderError, match=message):
        load_adapter(bert, tmp_path)


def rewrite(folder, **changes):
    write_json(folder / SPEC_FILE, read_json(folder / SPEC_FILE) | changes)


def change(folder, harm):
    tensors = load_file(folder / TENSOR_FILE)
    harm(tensors)
    save_file(tensors, folder / TENSOR_FILE)
