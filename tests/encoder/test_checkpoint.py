"""Nothing in a checkpoint is executed, and an invalid one is refused by the name of its file."""

import json

import pytest

from finetune_alf.encoder.checkpoint import check_checkpoint, check_config, weight_files
from finetune_alf.errors import EncoderError


def test_a_whole_checkpoint_passes(checkpoint):
    assert check_checkpoint(checkpoint)["model_type"] == "bert"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.ckpt"])
def test_pickled_weights_are_refused_with_the_way_to_convert_them(checkpoint, name):
    (checkpoint / "model.safetensors").rename(checkpoint / name)
    with pytest.raises(EncoderError, match=rf"got only {name}\. Pickled weights.*save_pretrained"):
        check_checkpoint(checkpoint)


def test_a_folder_without_weights_is_refused(checkpoint):
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="has no weights"):
        check_checkpoint(checkpoint)


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.999])
def test_truncated_weights_are_refused_by_file(checkpoint, kept):
    file = checkpoint / "model.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[: kept if isinstance(kept, int) else int(len(data) * kept)])
    with pytest.raises(EncoderError, match=r"model\.safetensors: must be a whole safetensors file"):
        check_checkpoint(checkpoint)


def test_a_huge_header_is_refused(checkpoint):
    file = checkpoint / "model.safetensors"
    file.write_bytes((1 << 40).to_bytes(8, "little") + file.read_bytes()[8:])
    with pytest.raises(EncoderError, match="must be a whole safetensors file"):
        check_checkpoint(checkpoint)


@pytest.mark.parametrize(
    "change",
    [
        {"auto_map": {"AutoModel": "code.Model"}},
        {"text_config": {"trust_remote_code": True}},
        {"_attn_implementation_internal": "owner/kernel"},
        {"nested": [{"attn_implementation": "owner/kernel"}]},
        {"_attn_implementation": "owner/kernel@main"},
        {"quantization_config": {"quant_method": "gptq"}},
    ],
)
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_config_that_loads_code_is_refused(checkpoint, file, change):
    config = json.loads((checkpoint / file).read_text())
    (checkpoint / file).write_text(json.dumps({**config, **change}))
    with pytest.raises(EncoderError, match=rf"{file}: must be a plain config, but has"):
        check_checkpoint(checkpoint)


def test_a_plain_attention_name_is_no_kernel():
    check_config({"attn_implementation": "sdpa"}, "config")


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, '{"a": 1,}'])
def test_a_broken_config_is_refused_by_file(checkpoint, text):
    (checkpoint / "config.json").write_text(text)
    with pytest.raises(EncoderError, match=r"config\.json: must "):
        check_checkpoint(checkpoint)


def test_a_config_of_megabytes_is_refused(checkpoint):
    (checkpoint / "config.json").write_text(json.dumps({"x": "y" * (1 << 20)}))
    with pytest.raises(EncoderError, match=r"config\.json: must be at most 1048576 bytes"):
        check_checkpoint(checkpoint)


def test_a_missing_config_is_named(checkpoint):
    (checkpoint / "config.json").unlink()
    with pytest.raises(EncoderError, match=r"cannot read .*config\.json"):
        check_checkpoint(checkpoint)


def test_a_missing_tokenizer_is_refused(checkpoint):
    (checkpoint / "tokenizer.json").unlink()
    with pytest.raises(EncoderError, match=r"must contain a tokenizer"):
        check_checkpoint(checkpoint)


def test_a_peft_adapter_is_refused(checkpoint):
    (checkpoint / "adapter_config.json").write_text("{}")
    with pytest.raises(EncoderError, match="got a PEFT adapter"):
        check_checkpoint(checkpoint)


def shard(checkpoint, weight_map):
    (checkpoint / "model.safetensors").rename(checkpoint / "model-1.safetensors")
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def test_weights_in_several_files_are_all_checked(checkpoint):
    shard(checkpoint, {"a": "model-1.safetensors"})
    assert weight_files(checkpoint) == (checkpoint / "model-1.safetensors",)


@pytest.mark.parametrize("name", ["../model-1.safetensors", "/etc/passwd", "a/b.safetensors", "code.bin"])
def test_an_index_cannot_choose_a_path(checkpoint, name):
    shard(checkpoint, {"a": name})
    with pytest.raises(EncoderError, match="must name safetensors files of the same folder"):
        check_checkpoint(checkpoint)


def test_a_missing_shard_is_named(checkpoint):
    shard(checkpoint, {"a": "model-1.safetensors", "b": "model-2.safetensors"})
    with pytest.raises(EncoderError, match=r"model-2\.safetensors is missing"):
        check_checkpoint(checkpoint)


@pytest.mark.parametrize("weight_map", [None, {}, []])
def test_an_index_without_a_map_is_refused(checkpoint, weight_map):
    shard(checkpoint, weight_map)
    with pytest.raises(EncoderError, match="must map tensors to files"):
        check_checkpoint(checkpoint)
