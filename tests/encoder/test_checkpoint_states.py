"""Checkpoints in the states that people have them: each gives the same body, or an error that names a tensor."""

import functools
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from finetune_alf.encoder import FolderEncoder
from finetune_alf.encoder.load import load_encoder
from finetune_alf.errors import EncoderError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "food"]


def load(folder):
    return load_encoder(FolderEncoder(kind="folder", path=str(folder)), 2)


def rewrite(folder, change):
    """Rewrite the weights: `change` takes and returns tensors by name."""
    file = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in change(load_file(file)).items()}, file, {"format": "pt"})


def body_of(encoder):
    return {name: p for name, p in encoder.model.named_parameters() if ".encoder." in name or ".embeddings." in name}


@functools.cache
def own_body(folder):
    return body_of(load(folder))


def assert_same_body(encoder, folder, tolerance=0.0):
    for name, parameter in body_of(encoder).items():
        torch.testing.assert_close(parameter, own_body(folder)[name], rtol=tolerance, atol=tolerance)


def renamed(old, new):
    return lambda tensors: {name.replace(old, new): tensor for name, tensor in tensors.items()}


def with_tensors(**shapes):
    return lambda tensors: tensors | {name.replace("__", "."): torch.ones(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(renamed("LayerNorm.weight", "LayerNorm.gamma"), id="gamma"),
        pytest.param(renamed("LayerNorm.bias", "LayerNorm.beta"), id="beta"),
        pytest.param(
            with_tensors(cls__predictions__bias=(101,), cls__seq_relationship__weight=(2, 8)), id="pre-training"
        ),
        pytest.param(with_tensors(qa_outputs__weight=(2, 8), qa_outputs__bias=(2,)), id="question answering"),
        pytest.param(with_tensors(classifier__weight=(9, 8), classifier__bias=(9,)), id="another number of classes"),
        pytest.param(with_tensors(embeddings__position_ids=(1, 40)), id="positions of older versions"),
        pytest.param(
            lambda tensors: {name: each for name, each in tensors.items() if "pooler" not in name}, id="no pooler"
        ),
    ],
)
def test_the_body_is_the_checkpoints_own(saved_checkpoint, checkpoint, change):
    rewrite(checkpoint, change)
    assert_same_body(load(checkpoint), saved_checkpoint)


def test_a_pooler_that_is_missing_begins_anew_with_every_seed(checkpoint):
    rewrite(checkpoint, lambda tensors: {name: each for name, each in tensors.items() if "pooler" not in name})
    new = load(checkpoint).initial_weights.newly_initialized
    assert set(new) == {
        f"{module}.{kind}" for module in ("bert.pooler.dense", "classifier") for kind in ("weight", "bias")
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_float32(saved_checkpoint, checkpoint, dtype):
    rewrite(checkpoint, lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()})
    encoder = load(checkpoint)
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    assert_same_body(encoder, saved_checkpoint, 1e-2)


def test_weights_in_several_files_are_one_encoder(saved_checkpoint, checkpoint):
    file = checkpoint / "model.safetensors"
    tensors = load_file(file)
    file.unlink()
    names, files = sorted(tensors), {}
    for index, part in enumerate((names[::2], names[1::2]), start=1):
        files |= dict.fromkeys(part, f"model-0000{index}-of-00002.safetensors")
        save_file({name: tensors[name] for name in part}, checkpoint / files[part[0]], {"format": "pt"})
    (checkpoint / f"{file.name}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    assert_same_body(load(checkpoint), saved_checkpoint)


def test_a_vocabulary_alone_makes_the_tokenizer(checkpoint):
    for file in checkpoint.glob("*token*"):
        file.unlink()
    (checkpoint / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    assert load(checkpoint).tokenize(["Good film"], 8).input_ids == ((2, 4, 6, 3),)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model."])
def test_a_prefix_over_half_precision_and_other_heads_is_no_hindrance(saved_checkpoint, checkpoint, prefix):
    def change(tensors):
        tensors = {f"bert.{name}": tensor.half() for name, tensor in tensors.items() if "pooler" not in name}
        return {f"{prefix}{name}": tensor for name, tensor in (tensors | {"cls.bias": torch.ones(9)}).items()}

    rewrite(checkpoint, change)
    assert_same_body(load(checkpoint), saved_checkpoint, 1e-2)


def test_an_error_names_the_tensor_and_what_to_do(checkpoint):
    rewrite(checkpoint, renamed("layer.1.attention.self.query", "layer.1.attention.self.q"))
    with pytest.raises(EncoderError, match=r"layer\.1\.attention\.self\.query\.bias is missing\. Use the config\.json"):
        load(checkpoint)
