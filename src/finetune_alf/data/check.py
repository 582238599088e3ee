"""Check that samples can be drawn, before any of them is: too few rows are found at once, not one sample at a time."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from finetune_alf.data.description import why_few
from finetune_alf.data.draw import draw_splits
from finetune_alf.data.duplicates import drop_duplicates
from finetune_alf.data.files_source import source_paths
from finetune_alf.data.glue_source import files_spec
from finetune_alf.data.labels import apply_labels
from finetune_alf.data.readers.format import label_columns
from finetune_alf.data.readers.table import read_table
from finetune_alf.data.source import open_source
from finetune_alf.data.source_spec import FilesSource, GlueSource, HubSource
from finetune_alf.data.spec import MixtureSpec, SampleSpec
from finetune_alf.data.text_columns import columns_of
from finetune_alf.errors import DataError, faults_of

CHEAP_BYTES = 64 << 20
"""The size of a source's files up to which they are read once more, to count their rows: a second or two."""


def check_samples(samples: Mapping[str, SampleSpec | MixtureSpec], root: Path) -> None:
    """Raise DataError with every sample that cannot be drawn, as far as files on this machine show it in seconds.

    Nothing is downloaded, and of large files the first rows are read.
    """
    if faults := [fault for name, spec in samples.items() for fault in _faults(name, spec, root)]:
        raise DataError("\n".join(map(str, faults)), faults_of(faults))


def _faults(name: str, spec: SampleSpec | MixtureSpec, root: Path) -> Iterator[DataError]:
    if isinstance(spec, MixtureSpec):
        tasks = {f"{name}.tasks.{task}": own for task, own in spec.tasks.items()}
    else:
        tasks = {name: spec}
    for where, own in tasks.items():
        try:
            _check(own, root)
        except DataError as error:
            yield DataError(f"samples.{where}: {error}", error.faults)


def _check(spec: SampleSpec, root: Path) -> None:
    source = spec.source
    if isinstance(source, HubSource) or (isinstance(source, GlueSource) and source.files is None):
        return
    if isinstance(source, GlueSource):
        source = files_spec(source, root)
    if isinstance(source, FilesSource) and _size(source, root) > CHEAP_BYTES:
        _read_first_rows(source, root)
    else:
        _try(spec, root)


def _size(source: FilesSource, root: Path) -> int:
    return sum(path.stat().st_size for path in source_paths(source, root).values() if path.exists())


def _read_first_rows(source: FilesSource, root: Path) -> None:
    """Read the first row of each file, which must have all columns."""
    labels = label_columns(source.label)
    columns = (*columns_of(source.text), *labels)
    for path in source_paths(source, root).values():
        next(iter(read_table(path, columns, labels, form=source, labels=labels)), None)


def _try(spec: SampleSpec, root: Path) -> None:
    source = open_source(spec.source, root, spec.problem_type, spec.on_empty)
    labelled = apply_labels(source.rows(), spec.labels)
    rows, unique = labelled.rows, drop_duplicates(labelled.rows, spec.on_empty)
    labels = {name: split.labels for name, split in rows.splits.items()}
    draw_splits(labels, unique.kept, rows.drawn_by, spec, why_few(labelled, unique))
