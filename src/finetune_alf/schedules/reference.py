"""References of schedules: a published name, a path that ends in .json, or model@alias."""

import re
from pathlib import Path

from finetune_alf.schedules.published import PUBLISHED_NAMES


def is_reference(text: str) -> bool:
    """Return whether a text can be the reference of a schedule."""
    return text in PUBLISHED_NAMES or text.endswith(".json") or is_registered(text)


def is_registered(reference: str) -> bool:
    """Return whether a reference is model@alias, a version in a registry."""
    return re.fullmatch(r"[^@/\\]+@[^@/\\]+", reference) is not None


def from_root(root: Path, reference: str) -> str:
    """Return a reference, with a file's path taken from the root."""
    return str(root / reference) if reference.endswith(".json") else reference
