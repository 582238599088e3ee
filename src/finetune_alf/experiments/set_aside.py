"""Results of entries that params.yaml no longer names: moved out of the folders that stages of dvc.yaml depend on.

A stage of dvc.yaml cannot name a list of files, so that the report and the stage `encoder` depend on folders. DVC
leaves the outputs of an entry that was removed where they are: they would be on the page, and in the lock as a
dependency that no clone has.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from finetune_alf.encoder.spec import ADAPT_RECORD
from finetune_alf.experiments.experiment import Experiment
from finetune_alf.running.context import Context

SUFFIXES = (".json", ".jsonl", ".png")


def set_aside(ctx: Context, experiments: Sequence[Experiment]) -> list[Path]:
    """Move what belongs to no entry of params.yaml to studies/set-aside, and return the new places."""
    moved = []
    for path in sorted(left_over(ctx, experiments)):
        to = ctx.paths.studies / "set-aside" / path.relative_to(ctx.paths.root)
        to.parent.mkdir(parents=True, exist_ok=True)
        moved.append(to)
        ctx.console.log(f"{path.relative_to(ctx.paths.root)}: params.yaml no longer names it; it is in {to} now.")
        _replace(path, to)
    return moved


def left_over(ctx: Context, experiments: Sequence[Experiment]) -> Iterator[Path]:
    """Yield files and folders of samples, adapted encoders, studies and experiments that params.yaml does not name."""
    params, paths = ctx.params, ctx.paths
    yield from (path for path in _entries(paths.sample("x").parent) if path.name not in params.samples)
    yield from (path for path in _entries(paths.study_results("x").parent) if path.name not in params.studies)
    for folder in (paths.importance("x").parent, paths.schedules("x").parent):
        yield from (path for path in _files(folder) if path.name.partition(".")[0] not in params.studies)
    for experiment in experiments:
        named = set(product(*experiment.choices(params)))
        folder = paths.experiment(experiment.key)
        if experiment.key == "adapt":
            adapted = (path for path in _entries(paths.encoders) if (path / ADAPT_RECORD).exists())
            yield from (path for path in adapted if (path.name,) not in named)
        for path in _files(folder):
            *parents, name = path.relative_to(folder).parts
            stem = name.partition(".")[0]
            # A classifier of another scheme, made by hand, is named after its study.
            if (*parents, stem) not in named and not (experiment.key == "fit" and stem in params.studies):
                yield path


def _entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."] if folder.exists() else []


def _files(folder: Path) -> list[Path]:
    found = folder.rglob("*") if folder.exists() else ()
    return [path for path in found if path.is_file() and path.suffix in SUFFIXES and path.name[0] != "."]


def _replace(path: Path, to: Path) -> None:
    if to.is_dir():
        shutil.rmtree(to)
    os.replace(path, to)
