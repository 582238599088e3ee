"""Rows of a GLUE task: the hub's own, or the same task out of a folder of files, its classes under GLUE's names."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from finetune_alf.data.files_source import FileRows, expanded
from finetune_alf.data.glue import GLUE, REPOSITORY, GlueTask
from finetune_alf.data.hub_source import HubRows
from finetune_alf.data.readers.table import READERS
from finetune_alf.data.rows import SOURCE_SPLITS, SourceRows, SplitRows
from finetune_alf.data.spec import FilesSource, GlueSource, HubSource
from finetune_alf.errors import DataError


@dataclass(frozen=True)
class GlueRows:
    """One task of GLUE; a relative folder starts at `root`."""

    spec: GlueSource
    root: Path

    def rows(self) -> SourceRows:
        """Return the rows. Raises DataError naming file and line, also at a class that is not one of the task's."""
        task = GLUE[self.spec.task]
        if self.spec.files is None:
            return HubRows(hub_spec(self.spec), labels=task.kind).rows()
        rows = FileRows(files_spec(self.spec, self.root), self.root, task.kind).rows()
        return _under_own_names(rows, task) if task.label_names else rows


def hub_spec(spec: GlueSource) -> HubSource:
    """Return where a task lies on the hub: its labelled splits alone."""
    task = GLUE[spec.task]
    return HubSource(
        name=REPOSITORY,
        config=spec.task,
        revision=spec.revision,
        text=spec.text or task.text,
        label=spec.label or task.label,
        splits={"train": "train", "validation": task.validation},
    )


def files_spec(spec: GlueSource, root: Path) -> FilesSource:
    """Return the files of a task's folder, one a split; DataError where train is missing, or a split is there twice."""
    task, folder = GLUE[spec.task], str(spec.files)
    found = {split: _file_of(split, folder, root / expanded(folder)) for split in SOURCE_SPLITS}
    paths = {split: f"{folder}/{name}" for split, name in found.items() if name}
    if "train" not in paths:
        raise DataError(
            f"{folder}: must hold the file train, ending in one of {', '.join(READERS)}, but has none. "
            "Name the folder with the files train, validation and, if there is one, test."
        )
    return FilesSource(
        train=paths["train"],
        validation=paths.get("validation"),
        test=paths.get("test"),
        text=spec.text or task.text,
        label=spec.label or task.label,
    )


def _file_of(split: str, folder: str, path: Path) -> str | None:
    names = [f"{split}{ending}" for ending in READERS if (path / f"{split}{ending}").is_file()]
    if len(names) > 1:
        raise DataError(f"{folder}: must have one file {split}, but has {' and '.join(names)}. Take one out.")
    return names[0] if names else None


def _under_own_names(rows: SourceRows, task: GlueTask) -> SourceRows:
    """Return the rows with GLUE's label names in GLUE's order; files may have their numbers instead."""
    numbered = {str(number): name for number, name in enumerate(task.label_names)}
    splits = {given: _renamed(split, numbered) for given, split in rows.splits.items()}
    used = {label for split in splits.values() for label in split.labels}
    return replace(rows, splits=splits, label_names=tuple(name for name in task.label_names if name in used))


def _renamed(split: SplitRows, numbered: dict[str, str]) -> SplitRows:
    known = numbered | {name: name for name in numbered.values()}
    index = next((index for index, label in enumerate(split.labels) if label not in known), None)
    if index is not None:
        raise DataError(
            f"{split.place(index)}: must have one of the labels {_listed(numbered.values())}, or its number from 0, "
            f"but got {split.labels[index]!r}. Name the label's column as `label` of this source, or repair the row."
        )
    return replace(split, labels=[known[label] for label in split.labels])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
