"""The depth of an encoder and the longest text that it takes, by its config alone: no weights, and no download."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finetune_alf.encoder.checkpoint import read_config
from finetune_alf.encoder.locate import package_folder
from finetune_alf.encoder.spec import AdaptedEncoder, EncoderSpec, FolderEncoder, HubEncoder, RandomEncoder
from finetune_alf.paths import Paths

Config = Mapping[str, Any]


@dataclass(frozen=True)
class ConfigSizes:
    """An encoder's layers, its positions, which are the most tokens of a text, and its model type.

    None where it is not known.
    """

    n_layers: int | None = None
    n_positions: int | None = None
    model_type: str | None = None


def _plain(config: Config) -> ConfigSizes:
    return ConfigSizes(_number(config, "num_hidden_layers"), _number(config, "max_position_embeddings"))


def _distilbert(config: Config) -> ConfigSizes:
    return ConfigSizes(_number(config, "n_layers"), _number(config, "max_position_embeddings"))


def _shared(config: Config) -> ConfigSizes:
    """ALBERT has the weights of one layer, in as many groups as it names."""
    return ConfigSizes(_number(config, "num_hidden_groups"), _number(config, "max_position_embeddings"))


def _after_padding(config: Config) -> ConfigSizes:
    """RoBERTa and its like count positions from the index of the padding token on."""
    n_rows, padding = _number(config, "max_position_embeddings"), config.get("pad_token_id", 1)
    n_positions = n_rows - padding - 1 if n_rows is not None and isinstance(padding, int) else None
    return ConfigSizes(_number(config, "num_hidden_layers"), n_positions)


SIZES: Mapping[str, Callable[[Config], ConfigSizes]] = {
    "albert": _shared,
    "bert": _plain,
    "camembert": _after_padding,
    "deberta": _plain,
    "deberta-v2": _plain,
    "distilbert": _distilbert,
    "electra": _plain,
    "modernbert": _plain,
    "mpnet": _after_padding,
    "roberta": _after_padding,
    "xlm-roberta": _after_padding,
}
"""Model type -> how its config has the sizes."""


def sizes_of(spec: EncoderSpec, root: Path) -> ConfigSizes:
    """Return the sizes of an encoder whose config is at hand, and unknown ones for any other.

    Raises EncoderError for a folder or a package that is not there, and for a config that cannot be used.
    """
    config = spec.config if isinstance(spec, RandomEncoder) else _config(_config_file(spec, root))
    model_type = str(config.get("model_type"))
    known = SIZES.get(model_type)
    return replace(known(config), model_type=model_type) if known else ConfigSizes()


def _config(file: Path | None) -> Config:
    return read_config(file) if file else {}


def _config_file(spec: EncoderSpec, root: Path) -> Path | None:
    """Return the config of an encoder; None for one that is not downloaded, or not trained yet."""
    if isinstance(spec, FolderEncoder):
        return root / spec.path / "config.json"
    if isinstance(spec, AdaptedEncoder):
        file = Paths(root).adapted(spec.adapt) / "config.json"
        return file if file.exists() else None
    if isinstance(spec, HubEncoder):
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(spec.name, "config.json", revision=spec.revision)
        return Path(cached) if isinstance(cached, str) else None
    if isinstance(spec, RandomEncoder):
        return None
    spec.version()
    folder = package_folder(spec)
    return folder / "config.json" if folder else None


def _number(config: Config, key: str) -> int | None:
    value = config.get(key)
    return value if isinstance(value, int) else None
