"""The encoders that a project can start with: those of the presets, by name; a folder; a model of the hub."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune_alf.errors import InputError
from finetune_alf.nearest import did_you_mean
from finetune_alf.params.load import read_overlay
from finetune_alf.params.presets import preset_names


def known_encoders(presets: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the encoders of presets by name, as params.yaml has them; those that a project trains itself are none."""
    found: dict[str, dict[str, Any]] = {}
    for preset in presets:
        for name, spec in read_overlay(preset).value.get("encoders", {}).items():
            if spec and spec.get("kind") in {"hub", "package"}:
                found.setdefault(name, spec)
    return found


def find_encoder(given: str, root: Path) -> tuple[str, dict[str, Any]]:
    """Return name and spec of an encoder: a preset's, FOLDER, or HUB_NAME@COMMIT; InputError lists the names."""
    own = known_encoders(["default"])  # the other presets are read where it is not the default's: they take a second
    if given in own:
        return given, own[given]
    if Path(given).is_dir():
        path = Path(given)
        return name_of(path.resolve().name), {"kind": "folder", "path": str(path_from(root, path))}
    if match := re.fullmatch(r"([\w./-]+)@([0-9a-f]{40})", given):
        return name_of(match[1].rpartition("/")[2]), {"kind": "hub", "name": match[1], "revision": match[2]}
    known = own | known_encoders(preset_names())
    if given in known:
        return given, known[given]
    raise InputError(
        f"--encoder: must be one of {', '.join(known)}, a folder, or NAME@COMMIT of the hub, but got {given}"
        f"{did_you_mean(given, list(known))}.",
        option="--encoder",
    )


def name_of(text: str) -> str:
    """Return text as a name of params.yaml."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64] or "own"


def path_from(root: Path, path: Path) -> Path:
    """Return a path as params.yaml has it: relative to the root where it lies below, else absolute.

    A file keeps its name also where it is a link: what it leads to may have no extension.
    """
    whole = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    return whole.relative_to(root.resolve()) if whole.is_relative_to(root.resolve()) else whole
