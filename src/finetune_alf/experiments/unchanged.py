"""Whether anything has changed since the last run: a run with nothing to do ends before torch and MLflow are loaded.

All that a run reads and writes has one digest: params.yaml, files that it names, encoders, samples, studies, results,
classifiers, the SQLite file of MLflow with the names and sizes of its artifacts, this package and this machine. What
shows itself only on a server, or to the experiment of another package, counts as changed.
"""

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import finetune_alf
from finetune_alf.checksums import digest
from finetune_alf.encoder.locate import resolve_folder
from finetune_alf.errors import AlfError, InputError
from finetune_alf.experiments.experiment import Experiment
from finetune_alf.experiments.registry import BUILT_IN
from finetune_alf.files import file_digest
from finetune_alf.json_files import read_json, write_json
from finetune_alf.running.context import Context
from finetune_alf.running.parent_run import tracking_store
from finetune_alf.tracking.locations import artifacts_uri
from finetune_alf.tracking.store import sqlite_path, tracking_uri

RECORD = "run.json"
"""The file in studies/ with the digest that the last whole run left."""

_FOLDERS = ("kept", "keep")
"""The settings that name folders which stages read, besides those of encoders and sources."""


def is_unchanged(ctx: Context, experiments: Sequence[Experiment]) -> bool:
    """Return whether all is as the last whole run left it; where that cannot be known, it is not."""
    path = ctx.paths.studies / RECORD
    if not path.exists():
        return False
    try:
        kept = read_json(path).get("digest")
    except InputError:
        return False
    return kept is not None and kept == run_digest(ctx, experiments)


def record_run(ctx: Context, experiments: Sequence[Experiment]) -> None:
    """Keep the digest of a whole run that has ended, where there is one."""
    if found := run_digest(ctx, experiments):
        write_json(ctx.paths.studies / RECORD, {"digest": found})


def run_digest(ctx: Context, experiments: Sequence[Experiment]) -> str | None:
    """Return the digest of all that a run reads and writes, as 64 hex digits; None where not all of it is in files.

    Records that wait for MLflow count as a run that has not ended.
    """
    paths, database = ctx.paths, sqlite_path(tracking_uri(ctx.paths.root, tracking_store(ctx)))
    others = [one for one in experiments if one not in BUILT_IN and all(one.choices(ctx.params))]
    if database is None or not database.is_file() or ctx.study_server or others or any(_files(paths.spools)):
        return None
    params = ctx.params.model_dump(mode="json", by_alias=True)
    package = Path(finetune_alf.__file__).parent
    written = (paths.sample("x").parent, paths.encoders, paths.results, paths.model("x").parent, paths.studies)
    named = (file for key, text in _texts(params) for file in _named(paths.root, key, text))
    record = paths.studies / RECORD
    files = [file for folder in written for file in _files(folder) if file != record]
    artifacts = Path(unquote(urlsplit(artifacts_uri(database)).path))
    return digest(
        {
            "params": params,
            "machine": [platform.node(), str(paths.root.absolute()), os.environ.get("CUDA_VISIBLE_DEVICES")],
            "package": {str(file): file_digest(file) for file in _files(package) if "__pycache__" not in file.parts},
            "encoders": {name: _identity(ctx, name) for name in ctx.params.encoders},
            "files": {str(file): file_digest(file) for file in (*files, *named, database)},
            "artifacts": {str(file): file.stat().st_size for file in _files(artifacts)},
        }
    )


def _identity(ctx: Context, encoder: str) -> str:
    """Return the identity of an encoder, or why it has none."""
    try:
        return resolve_folder(ctx.paths.root, ctx.encoder(encoder)).identity()
    except AlfError as error:
        return str(error)


def _texts(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts in params, each with the last key that leads to it."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, key)


def _named(root: Path, key: str, text: str) -> Iterator[Path]:
    """Yield the files that a text of params names."""
    try:
        path = root / text
        if key in _FOLDERS:
            yield from _files(path)
        elif path.is_file():
            yield path
    except (OSError, ValueError):  # too long for a path, or with a zero byte: no name of a file
        return


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and below it, in order, but for locks."""
    found = sorted(folder.rglob("*")) if folder.is_dir() else []
    yield from (path for path in found if path.is_file() and path.suffix != ".lock")
