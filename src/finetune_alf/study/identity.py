"""The identity of a study: everything that its scores depend on, except the number of trials and the code."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finetune_alf.checksums import canonical_json, digest
from finetune_alf.compute import Precision
from finetune_alf.identity import identity_of
from finetune_alf.study.spec import StudySpec

_SPEC_FIELDS = ("space", "recipe", "seed", "sampler", "pruner", "metric", "enqueue")


def study_identity(spec: StudySpec, sample_digest: str, encoder_identity: str, precision: Precision) -> dict[str, Any]:
    """Return a study's identity: fields of its spec, with sample and encoder by digest instead of by name.

    `n_trials` is not in it, so that raising it resumes the study. The version of the code is recorded in each trial.
    """
    fields = {name: getattr(spec, name) for name in _SPEC_FIELDS}
    return identity_of({**fields, "sample": sample_digest, "encoder": encoder_identity, "precision": precision})


def study_key(name: str, identity: str) -> str:
    """Return the key of the parent run in MLflow of a study with this digest of its identity."""
    return f"study/{name}/{identity[:16]}"


def database_path(folder: Path, name: str, identity: Mapping[str, Any]) -> Path:
    """Return the path of the database for this name and identity: `<name>-<digest8>.db`."""
    return folder / f"{name}-{digest(identity)[:8]}.db"


def study_databases(folder: Path, name: str) -> list[Path]:
    """Return the databases of all studies of this name, the most recently written first."""
    pattern = re.compile(re.escape(name) + r"-[0-9a-f]{8}\.db")  # the glob also matches those of a study `<name>-…`
    paths = [path for path in folder.glob(f"{name}-*.db") if pattern.fullmatch(path.name)]
    return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the fields that differ between two identities, each as `field: old -> new`."""
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
