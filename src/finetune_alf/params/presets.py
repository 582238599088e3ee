"""Presets: params files that come with the package, and finding an overlay by name or path."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from finetune_alf.errors import ParamsError
from finetune_alf.nearest import did_you_mean
from finetune_alf.params.reading import read_source

_FOLDER = files("finetune_alf") / "presets"


@dataclass(frozen=True)
class Source:
    """The text of an overlay and what faults call it."""

    text: str
    shown: str


def preset_names() -> list[str]:
    """Return the names of all presets."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _FOLDER.iterdir() if entry.name.endswith(".yaml"))


def find_source(name: str) -> Source:
    """Return the preset of this name, or the file; ParamsError when there is neither."""
    if name in preset_names():
        return Source((_FOLDER / f"{name}.yaml").read_text("utf-8"), f"preset {name}")
    path = Path(name)
    if path.exists():
        return Source(read_source(path), str(path))
    if path.suffix in {".yaml", ".yml"} or path.name != name:
        raise ParamsError(
            f"{path}: there is no such file in {Path.cwd()}, where the paths of overlays start, whatever --root is."
        )
    names = preset_names()
    raise ParamsError(
        f"{name}: must be a file or one of the presets {', '.join(names)}, but is neither{did_you_mean(name, names)}"
    )
