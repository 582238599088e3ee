"""The folder of an encoder's files: in the hub's cache, on disk, or in an installed package."""

import importlib.util
import logging
from pathlib import Path

from finetune_alf.encoder.checkpoint import (
    CONFIG_AND_TOKENIZER,
    TOKENIZER_FILES,
    WEIGHTS_FILE,
    files_read,
    weight_files,
)
from finetune_alf.encoder.spec import (
    AdaptedEncoder,
    AnyEncoder,
    EncoderCopy,
    EncoderSpec,
    FolderEncoder,
    HubEncoder,
    PackageEncoder,
    RandomEncoder,
)
from finetune_alf.errors import EncoderError
from finetune_alf.files import file_digest

log = logging.getLogger(__name__)

_DOWNLOADED = [*CONFIG_AND_TOKENIZER, "*.safetensors", "*.safetensors.index.json"]


def resolve_folder(root: Path, spec: EncoderSpec) -> EncoderSpec:
    """Return the spec with its relative folder resolved against a project's root; other kinds are unchanged."""
    if isinstance(spec, AdaptedEncoder):
        return spec.folder_in(root)
    return spec.model_copy(update={"path": str(root / spec.path)}) if isinstance(spec, FolderEncoder) else spec


def locate(spec: HubEncoder | FolderEncoder | AdaptedEncoder | PackageEncoder | EncoderCopy) -> Path:
    """Return the folder of an encoder; an encoder of the hub is downloaded if the cache does not have it.

    Raises EncoderError when it is missing, cannot be downloaded, or has another digest.
    """
    if isinstance(spec, HubEncoder):
        return _from_hub(spec)
    if isinstance(spec, PackageEncoder):
        return _from_package(spec)
    if isinstance(spec, AdaptedEncoder):
        spec = spec.folder_in(Path())
    return Path(spec.path)


def encoder_files(spec: AnyEncoder) -> dict[str, Path]:
    """Return the files that an encoder is loaded from, by name; none where it is random. Raises as `locate` does."""
    return {} if isinstance(spec, RandomEncoder) else {file.name: file for file in files_read(locate(spec))}


def package_folder(spec: PackageEncoder) -> Path | None:
    """Return the folder of an encoder in its package, which is not imported; None where there is no such package."""
    found = importlib.util.find_spec(spec.package)
    folders = list(found.submodule_search_locations or ()) if found else []
    return Path(folders[0]) / spec.path if folders else None


def _from_package(spec: PackageEncoder) -> Path:
    spec.version()
    folder = package_folder(spec)
    weights = folder / WEIGHTS_FILE if folder else None
    if weights is None or not weights.is_file():
        raise EncoderError(
            f"{spec.package}: must contain {spec.path}/{WEIGHTS_FILE}, but got no such file. "
            "Check `path`, or install the package again."
        )
    if (got := file_digest(weights)) != spec.sha256:
        raise EncoderError(
            f"{weights}: must have the SHA-256 {spec.sha256}, but got {got}. "
            f"Install {spec.package} again in the version of requirements.lock."
        )
    return weights.parent


def _from_hub(spec: HubEncoder) -> Path:
    from huggingface_hub import constants

    cached = _cached(spec)
    if cached is not None:
        return cached
    if constants.HF_HUB_OFFLINE:
        raise EncoderError(
            f"{spec.identity()}: must be in the cache {constants.HF_HUB_CACHE} where HF_HUB_OFFLINE is set, but is "
            "not. Download it on a machine with a network and copy the cache, or use kind: folder or kind: package."
        )
    return _download(spec)


def _cached(spec: HubEncoder) -> Path | None:
    """Return the snapshot in the cache if it is complete; an interrupted download leaves a part of it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(spec.name, revision=spec.revision, local_files_only=True))
        weight_files(folder)
    except (LocalEntryNotFoundError, EncoderError):
        return None
    is_complete = (folder / "config.json").exists() and any((folder / name).exists() for name in TOKENIZER_FILES)
    return folder if is_complete else None


def _download(spec: HubEncoder) -> Path:
    from huggingface_hub import snapshot_download

    log.info("downloading %s from the hub", spec.identity())
    try:
        folder = snapshot_download(
            spec.name, revision=spec.revision, allow_patterns=_DOWNLOADED, ignore_patterns=["*/*"]
        )
    except Exception as error:  # the errors of the hub, httpx and the file system have no common base class
        reason = next(iter(str(error).removeprefix("Got: ").strip().splitlines()), type(error).__name__)
        raise EncoderError(
            f"cannot download {spec.identity()}: {reason}. "
            "Check name, revision and network, or use kind: folder or kind: package."
        ) from error
    return Path(folder)
