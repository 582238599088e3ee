"""The source of a GLUE task's rows: the hub, or a folder of files, with GLUE's label names in both cases."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from finetune_alf.data.files_source import FileRows, expand_variables
from finetune_alf.data.glue import GLUE, REPOSITORY, GlueTask
from finetune_alf.data.hub_source import HubRows
from finetune_alf.data.readers.format import FileFormat
from finetune_alf.data.readers.table import READERS
from finetune_alf.data.rows import SOURCE_SPLITS, SourceRows, SplitRows
from finetune_alf.data.source_spec import FilesSource, GlueSource, HubSource
from finetune_alf.data.spec import OnEmpty
from finetune_alf.errors import DataError, RowError

EXTENSIONS = (*READERS, ".txt", *(f"{extension}.gz" for extension in (*READERS, ".txt") if extension != ".parquet"))
"""The extensions of files that can be read, in the order in which they are looked for."""


@dataclass(frozen=True)
class GlueRows:
    """The rows of one GLUE task; a relative folder starts at `root`."""

    spec: GlueSource
    root: Path
    on_empty: OnEmpty = "error"

    def rows(self) -> SourceRows:
        """Return the rows; raises DataError, naming file and line, also for a label that the task does not have."""
        task = GLUE[self.spec.task]
        if self.spec.files is None:
            return HubRows(hub_spec(self.spec), problem_type=task.problem_type, on_empty=self.on_empty).rows()
        rows = FileRows(files_spec(self.spec, self.root), self.root, task.problem_type, self.on_empty).rows()
        return _with_label_names(rows, task) if task.label_names else rows


def hub_spec(spec: GlueSource) -> HubSource:
    """Return the task's data set on the hub, with its labelled splits only."""
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
    """Return the files in a task's folder; raises DataError when train is missing, or a split has two files."""
    task, folder = GLUE[spec.task], str(spec.files)
    found = {split: _file_of(split, folder, root / expand_variables(folder)) for split in SOURCE_SPLITS}
    paths = {split: f"{folder}/{name}" for split, name in found.items() if name}
    if "train" not in paths:
        raise DataError(
            f"{folder}: must contain the file train, with one of the extensions {', '.join(READERS)} or .txt, but "
            "has none. Name the folder of the files train, validation and, if there is one, test."
        )
    return FilesSource(
        train=paths["train"],
        validation=paths.get("validation"),
        test=paths.get("test"),
        text=spec.text or task.text,
        label=spec.label or task.label,
        **{name: getattr(spec, name) for name in FileFormat.model_fields},
    )


def _file_of(split: str, folder: str, path: Path) -> str | None:
    names = [f"{split}{extension}" for extension in EXTENSIONS if (path / f"{split}{extension}").is_file()]
    if len(names) > 1:
        raise DataError(f"{folder}: must have one file {split}, but got {' and '.join(names)}. Remove one of them.")
    return names[0] if names else None


def _with_label_names(rows: SourceRows, task: GlueTask) -> SourceRows:
    """Return the rows with GLUE's label names in GLUE's order; files may have class indices instead."""
    by_index = {str(index): name for index, name in enumerate(task.label_names)}
    splits = {name: _with_names(split, by_index) for name, split in rows.splits.items()}
    used = {label for split in splits.values() for label in split.labels}
    return replace(rows, splits=splits, label_names=tuple(name for name in task.label_names if name in used))


def _with_names(split: SplitRows, by_index: dict[str, str]) -> SplitRows:
    names = by_index | {name: name for name in by_index.values()}
    unknown = next((index for index, label in enumerate(split.labels) if label not in names), None)
    if unknown is not None:
        raise RowError(
            split.place(unknown),
            f"the label must be one of {_listed(by_index.values())}, or its index from 0, "
            f"but got {split.labels[unknown]!r}",
            "Set `label` of this source to the label's column, or correct the row.",
            split.label_column,
        )
    return replace(split, labels=[names[label] for label in split.labels])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
