"""What a checkpoint's folder must hold before transformers reads it: nothing in it is executed, or chooses a path."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune_alf.encoder.spec import WEIGHTS_FILE
from finetune_alf.errors import EncoderError

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
MAX_CONFIG_BYTES = 1 << 20
# Keys by which a config has code or kernels fetched and run, or weights read by another path than ours.
REFUSED_KEYS = frozenset(
    {"auto_map", "trust_remote_code", "custom_pipelines", "_attn_implementation_internal", "quantization_config"}
)
ATTENTION_KEYS = frozenset({"attn_implementation", "_attn_implementation", "experts_implementation"})


def check_checkpoint(folder: Path) -> dict[str, Any]:
    """Refuse a folder that is no whole, plain checkpoint, and return its config.

    Raises EncoderError that names the file: no config, keys that load code, pickled weights, torn or missing
    safetensors, no tokenizer.
    """
    if not folder.is_dir():
        raise EncoderError(f"{folder}: must be the folder of an encoder, but there is none. Check the path.")
    if (folder / "adapter_config.json").exists():
        raise EncoderError(f"{folder}: must be a whole encoder, but got an adapter. Merge it into its encoder first.")
    config = _read_config(folder / "config.json")
    if (folder / "tokenizer_config.json").exists():
        _read_config(folder / "tokenizer_config.json")
    for file in weight_files(folder):
        _check_header(file)
    if not any((folder / name).exists() for name in TOKENIZER_FILES):
        raise EncoderError(
            f"{folder}: must hold a tokenizer, but has none of {', '.join(TOKENIZER_FILES)}. "
            "Save the encoder's tokenizer beside its weights."
        )
    return config


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files that transformers will read; EncoderError when there are none, or not all."""
    if (folder / WEIGHTS_FILE).exists():
        return (folder / WEIGHTS_FILE,)
    if not (folder / INDEX_FILE).exists():
        _refuse_pickles(folder)
    names = _shard_names(folder / INDEX_FILE)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise EncoderError(f"{folder}: must hold all files of {INDEX_FILE}, but lacks {missing[0]}. Fetch it again.")
    return tuple(folder / name for name in names)


def check_config(config: dict[str, Any], source: str) -> None:
    """Raise EncoderError when a config, at any depth, asks for code, kernels or other than plain weights."""
    for key, value in _items(config):
        kernel = key in ATTENTION_KEYS and "/" in json.dumps(value)
        if key in REFUSED_KEYS or kernel:
            raise EncoderError(
                f"{source}: must be a plain config, but has {key!r}, which makes loading run code or read other "
                "weights. Use an encoder whose architecture transformers has itself, and drop the key."
            )


def _items(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        yield from value.items()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _items(inner)


def _read_config(file: Path) -> dict[str, Any]:
    config = _read_object(file)
    check_config(config, str(file))
    return config


def _read_object(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise EncoderError(f"{file}: must exist. Give a folder as save_pretrained writes it.")
    if file.stat().st_size > MAX_CONFIG_BYTES and file.name != INDEX_FILE:
        raise EncoderError(f"{file}: must be at most {MAX_CONFIG_BYTES} bytes, but is larger. Fetch it again.")
    try:
        value = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise EncoderError(f"{file}: must be JSON, but got {error}. Fetch it again.") from None
    if not isinstance(value, dict):
        raise EncoderError(f"{file}: must hold a JSON object, but got {type(value).__name__}. Fetch it again.")
    return value


def _shard_names(index: Path) -> list[str]:
    weight_map = _read_object(index).get("weight_map")
    names = sorted(set(map(str, weight_map.values()))) if isinstance(weight_map, dict) else []
    if not names:
        raise EncoderError(f"{index}: must map tensors to files under 'weight_map', but does not. Fetch it again.")
    for name in names:
        if Path(name).name != name or "\\" in name or not name.endswith(".safetensors"):
            raise EncoderError(f"{index}: must name safetensors files beside it, but got {name!r}. Fetch it again.")
    return names


def _refuse_pickles(folder: Path) -> None:
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in {".bin", ".pt", ".pth", ".ckpt"})
    if not pickles:
        raise EncoderError(f"{folder}: must hold {WEIGHTS_FILE}, but there are no weights. Fetch the encoder again.")
    raise EncoderError(
        f"{folder}: must hold {WEIGHTS_FILE}, but got only {', '.join(pickles)}. Pickled weights can run code and are "
        'never read; where you trust them, convert them once: python -c "from transformers import AutoModel as M, '
        f"AutoTokenizer as T; [c.from_pretrained('{folder}').save_pretrained('{folder}-safe') for c in (M, T)]\""
    )


def _check_header(file: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt"):  # checks that the header is sound and the offsets end where the file does
            pass
    except (SafetensorError, OSError) as error:
        raise EncoderError(f"{file}: must be a whole safetensors file, but got {error}. Fetch it again.") from None
