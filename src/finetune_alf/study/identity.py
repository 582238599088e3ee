"""What makes a study the same study: all that its scores hang on, but not how many trials it has."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finetune_alf.files import canonical_json, digest
from finetune_alf.study.spec import StudySpec

_PARTS = {"space", "recipe", "seed", "sampler", "pruner", "metric", "enqueue"}


def identity_of(spec: StudySpec, sample_digest: str, encoder_identity: str) -> dict[str, Any]:
    """Return the parts of a study's identity: its spec, and what sample and encoder names stand for.

    Not in it: n_trials, so that raising it goes on, and the code, whose version is recorded beside the results.
    """
    parts: dict[str, Any] = json.loads(spec.model_dump_json(include=_PARTS))
    return {**parts, "sample": sample_digest, "encoder": encoder_identity}


def database_path(folder: Path, name: str, identity: Mapping[str, Any]) -> Path:
    """Return where the study of this name and identity lies: `<name>-<digest8>.db`."""
    return folder / f"{name}-{digest(identity)[:8]}.db"


def databases(folder: Path, name: str) -> list[Path]:
    """Return all databases that studies of this name have had, the latest written first."""
    pattern = re.compile(re.escape(name) + r"-[0-9a-f]{8}\.db")  # not those of a study called <name>-…
    found = [path for path in folder.glob(f"{name}-*.db") if pattern.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say which fields differ between two identities, one `field: old -> new` each."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, canonical_json(value)
