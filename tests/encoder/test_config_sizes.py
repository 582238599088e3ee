"""The depth and the positions of an encoder by its config alone, compared with the encoder that is loaded."""

from pathlib import Path

import pytest

from finetune_alf.encoder.config_sizes import ConfigSizes, sizes_of
from finetune_alf.encoder.spec import AdaptedEncoder, FolderEncoder, HubEncoder, RandomEncoder
from finetune_alf.errors import EncoderError
from tiny_families import PACKED, PADDED_ONLY, tiny_encoder


@pytest.mark.parametrize("family", [*PACKED, *PADDED_ONLY])
def test_a_config_has_the_sizes_of_its_encoder(family: str) -> None:
    encoder = tiny_encoder(family)
    config = encoder.model.config.to_dict()
    known = {name: config[name] for name in config if isinstance(config[name], int | str)}
    spec = RandomEncoder(kind="random", config={"model_type": family.split()[0], **known}, seed=0)
    assert sizes_of(spec, Path()) == ConfigSizes(encoder.n_layers, encoder.n_positions, encoder.model.config.model_type)


def test_what_is_not_at_hand_or_of_another_family_has_unknown_sizes(tmp_path: Path) -> None:
    for spec in (
        HubEncoder(kind="hub", name="no/such", revision="0" * 40),
        AdaptedEncoder(kind="adapted", adapt="later"),
        RandomEncoder(kind="random", config={"model_type": "funnel", "num_hidden_layers": 3}, seed=0),
    ):
        assert sizes_of(spec, tmp_path) == ConfigSizes()
    without = RandomEncoder(kind="random", config={"model_type": "bert"}, seed=0)
    assert sizes_of(without, tmp_path) == ConfigSizes(model_type="bert")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"cannot read .*none/config\.json: no such file"):
        sizes_of(FolderEncoder(kind="folder", path="none"), tmp_path)
