"""Where an encoder's files lie on this machine: the hub's cache, a folder, an installed package."""

import importlib.util
import logging
from pathlib import Path

from finetune_alf.encoder.checkpoint import TOKENIZER_FILES, weight_files
from finetune_alf.encoder.spec import (
    WEIGHTS_FILE,
    AdaptedEncoder,
    EncoderSpec,
    FolderEncoder,
    HubEncoder,
    PackageEncoder,
)
from finetune_alf.errors import EncoderError
from finetune_alf.files import file_digest

log = logging.getLogger(__name__)

_TOKENIZER = ("tokenizer*", "vocab.*", "merges.txt", "*.model", "special_tokens_map.json", "added_tokens.json")
BESIDE_WEIGHTS = ("config.json", *_TOKENIZER)
"""Patterns of the files that a checkpoint needs besides its weights."""

_WANTED = [*BESIDE_WEIGHTS, "*.safetensors", "*.safetensors.index.json"]


def resolve_folder(root: Path, spec: EncoderSpec) -> EncoderSpec:
    """Take what lies in a folder from a project's root, not from wherever the command was called."""
    if isinstance(spec, AdaptedEncoder):
        return spec.folder_in(root)
    return spec.model_copy(update={"path": str(root / spec.path)}) if isinstance(spec, FolderEncoder) else spec


def locate(spec: HubEncoder | FolderEncoder | AdaptedEncoder | PackageEncoder) -> Path:
    """Return the folder of an encoder, fetched first if it is on the hub and not in the cache.

    Raises EncoderError when it is not there, cannot be fetched, or is not what its digest says.
    """
    if isinstance(spec, HubEncoder):
        return _from_hub(spec)
    if isinstance(spec, PackageEncoder):
        return _from_package(spec)
    if isinstance(spec, AdaptedEncoder):
        spec = spec.folder_in(Path())
    return Path(spec.path)


def _from_package(spec: PackageEncoder) -> Path:
    spec.version()
    # find_spec does not import the package, which may drag half a framework in.
    found = importlib.util.find_spec(spec.package)
    folders = list(found.submodule_search_locations or ()) if found else []
    weights = Path(folders[0]) / spec.path / WEIGHTS_FILE if folders else None
    if weights is None or not weights.is_file():
        raise EncoderError(
            f"{spec.package}: must hold {spec.path}/{WEIGHTS_FILE}, but does not. Check `path`, or install it again."
        )
    if (got := file_digest(weights)) != spec.sha256:
        raise EncoderError(
            f"{weights}: must have the SHA-256 {spec.sha256}, but has {got}. "
            f"Install {spec.package} again in the version that requirements.lock names."
        )
    return weights.parent


def _from_hub(spec: HubEncoder) -> Path:
    from huggingface_hub import constants

    cached = _cached(spec)
    if cached is not None:
        return cached
    if constants.HF_HUB_OFFLINE:
        raise EncoderError(
            f"{spec.identity()}: must be in the cache {constants.HF_HUB_CACHE} when HF_HUB_OFFLINE is set, but is not. "
            "Fetch it on a machine with a network and copy the cache, or use kind: folder or kind: package."
        )
    return _fetch(spec)


def _cached(spec: HubEncoder) -> Path | None:
    """Return the snapshot in the cache if it is whole; a fetch that was cut short leaves a part."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(spec.name, revision=spec.revision, local_files_only=True))
        weight_files(folder)
    except (LocalEntryNotFoundError, EncoderError):
        return None
    whole = (folder / "config.json").exists() and any((folder / name).exists() for name in TOKENIZER_FILES)
    return folder if whole else None


def _fetch(spec: HubEncoder) -> Path:
    from huggingface_hub import snapshot_download

    log.info("fetching %s from the hub", spec.identity())
    try:
        folder = snapshot_download(spec.name, revision=spec.revision, allow_patterns=_WANTED, ignore_patterns=["*/*"])
    except Exception as error:  # the hub's own errors, httpx's and the file system's share no ancestor
        reason = next(iter(str(error).removeprefix("Got: ").strip().splitlines()), type(error).__name__)
        raise EncoderError(
            f"{spec.identity()}: must be on the hub and reachable, but got {reason}. "
            "Check name, revision and network, or use kind: folder or kind: package."
        ) from error
    return Path(folder)
