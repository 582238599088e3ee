"""The files of a checkpoint, and their checks before transformers reads them: no code, no pickles, no other paths."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune_alf.errors import EncoderError
from finetune_alf.os_errors import check_regular

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
CONFIG_AND_TOKENIZER = (
    "config.json",
    "tokenizer*.json",
    "vocab.*",
    "merges.txt",
    "bpe.codes",
    "*.model",
    "special_tokens_map.json",
    "added_tokens.json",
)
"""Glob patterns of the files that are read besides the weights."""

MAX_CONFIG_BYTES = 1 << 20
# Keys of a config that download and run code or kernels, or read the weights in another format.
REFUSED_KEYS = frozenset(
    {"auto_map", "trust_remote_code", "custom_pipelines", "_attn_implementation_internal", "quantization_config"}
)
ATTENTION_KEYS = frozenset({"attn_implementation", "_attn_implementation", "experts_implementation"})


def check_checkpoint(folder: Path) -> dict[str, Any]:
    """Return the config of a checkpoint after checking all of its files.

    Raises EncoderError, naming the file, for a missing config, keys that load code, pickled weights, missing or
    truncated safetensors, and a missing tokenizer.
    """
    if not folder.is_dir():
        raise EncoderError(f"{folder}: must be the folder of an encoder, but is no folder. Check the path.")
    if (folder / "adapter_config.json").exists():
        raise EncoderError(
            f"{folder}: must be a whole encoder, but got a PEFT adapter. Merge it into its encoder first."
        )
    config = read_config(folder / "config.json")
    if (folder / "tokenizer_config.json").exists():
        read_config(folder / "tokenizer_config.json")
    for file in weight_files(folder):
        _check_header(file)
    if not any((folder / name).exists() for name in TOKENIZER_FILES):
        raise EncoderError(
            f"{folder}: must contain a tokenizer, but has none of {', '.join(TOKENIZER_FILES)}. "
            "Save the encoder's tokenizer in the same folder."
        )
    return config


def files_read(folder: Path) -> tuple[Path, ...]:
    """Return the files that an encoder is loaded from, by name; raises EncoderError as `weight_files` does."""
    weights = weight_files(folder)
    index = () if weights == (folder / WEIGHTS_FILE,) else (folder / INDEX_FILE,)
    others = {file for pattern in CONFIG_AND_TOKENIZER for file in folder.glob(pattern) if file.is_file()}
    return tuple(sorted({*others, *weights, *index}))


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files of a checkpoint; raises EncoderError when there are none, or a shard is missing."""
    if (folder / WEIGHTS_FILE).exists():
        return (folder / WEIGHTS_FILE,)
    if not (folder / INDEX_FILE).exists():
        _refuse_pickles(folder)
    names = _shard_names(folder / INDEX_FILE)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise EncoderError(
            f"{folder}: must contain all files of {INDEX_FILE}, but {missing[0]} is missing. Download it again."
        )
    return tuple(folder / name for name in names)


def read_config(file: Path) -> dict[str, Any]:
    """Return a config; raises EncoderError, naming the file, where it is missing or not one that is safe to use."""
    config = _read_object(file)
    check_config(config, str(file))
    return config


def check_config(config: dict[str, Any], source: str) -> None:
    """Raise EncoderError when a config, at any depth, loads code, kernels or weights of another format."""
    for key, value in _items(config):
        is_kernel = key in ATTENTION_KEYS and "/" in json.dumps(value)
        if key in REFUSED_KEYS or is_kernel:
            raise EncoderError(
                f"{source}: must be a plain config, but has {key!r}, which makes loading run code or read other "
                "weights. Use an architecture of transformers itself, and remove the key."
            )


def _items(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from value.items()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _items(inner)


def _read_object(file: Path) -> dict[str, Any]:
    check_regular(file, EncoderError)
    if not file.is_file():
        raise EncoderError(f"cannot read {file}: no such file. Give a folder as save_pretrained writes it.")
    if file.stat().st_size > MAX_CONFIG_BYTES and file.name != INDEX_FILE:
        raise EncoderError(
            f"{file}: must be at most {MAX_CONFIG_BYTES} bytes, but got {file.stat().st_size}. Download it again."
        )
    try:
        value = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise EncoderError(f"{file}: must be JSON, but got {error}. Download it again.") from None
    if not isinstance(value, dict):
        raise EncoderError(f"{file}: must be a JSON object, but got {type(value).__name__}. Download it again.")
    return value


def _shard_names(index: Path) -> list[str]:
    weight_map = _read_object(index).get("weight_map")
    names = sorted(set(map(str, weight_map.values()))) if isinstance(weight_map, dict) else []
    if not names:
        raise EncoderError(
            f"{index}: must map tensors to files under 'weight_map', but got {weight_map!r}. Download it again."
        )
    for name in names:
        if Path(name).name != name or "\\" in name or not name.endswith(".safetensors"):
            raise EncoderError(
                f"{index}: must name safetensors files of the same folder, but got {name!r}. Download it again."
            )
    return names


def _refuse_pickles(folder: Path) -> None:
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in {".bin", ".pt", ".pth", ".ckpt"})
    if not pickles:
        raise EncoderError(f"{folder}: must contain {WEIGHTS_FILE}, but has no weights. Download the encoder again.")
    raise EncoderError(
        f"{folder}: must contain {WEIGHTS_FILE}, but got only {', '.join(pickles)}. Pickled weights can run code and "
        'are never read. If you trust them, convert them once: python -c "from transformers import AutoModel as M, '
        f"AutoTokenizer as T; [c.from_pretrained('{folder}').save_pretrained('{folder}-safe') for c in (M, T)]\""
    )


def _check_header(file: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        check_regular(file, EncoderError)
        with safe_open(file, "pt"):  # checks the header, and that the offsets end at the end of the file
            pass
    except (SafetensorError, OSError) as error:
        raise EncoderError(f"{file}: must be a whole safetensors file, but got {error}. Download it again.") from None
