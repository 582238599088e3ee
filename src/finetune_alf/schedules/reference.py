"""References of schedules: a published name, a path that ends in .json or .yaml, or model@alias."""

import re
from pathlib import Path

from finetune_alf.schedules.published import PUBLISHED_NAMES

YAML_SUFFIXES = (".yaml", ".yml")


def is_reference(text: str) -> bool:
    """Return whether a text can be the reference of a schedule."""
    return text in PUBLISHED_NAMES or is_file(text) or is_registered(text)


def is_file(reference: str) -> bool:
    """Return whether a reference is the path of a file."""
    return reference.lower().endswith((".json", *YAML_SUFFIXES))


def is_yaml(path: Path) -> bool:
    """Return whether a path names a file of YAML."""
    return path.suffix.lower() in YAML_SUFFIXES


def is_registered(reference: str) -> bool:
    """Return whether a reference is model@alias, a version in a registry."""
    return re.fullmatch(r"[^@/\\]+@[^@/\\]+", reference) is not None


def from_root(root: Path, reference: str) -> str:
    """Return a reference, with a file's path taken from the root."""
    return str(root / reference) if is_file(reference) else reference
