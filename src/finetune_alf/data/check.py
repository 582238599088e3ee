"""Check that samples can be drawn, before any of them is: too few rows are found at once, not one sample at a time."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from finetune_alf.data.draw import draw_splits
from finetune_alf.data.duplicates import drop_duplicates
from finetune_alf.data.files_source import source_paths
from finetune_alf.data.glue_source import files_spec
from finetune_alf.data.labels import apply_labels
from finetune_alf.data.source import open_source
from finetune_alf.data.spec import FilesSource, GlueSource, HubSource, MixtureSpec, SampleSpec
from finetune_alf.errors import DataError

CHEAP_BYTES = 64 << 20
"""The size of a source's files up to which they are read once more, to count their rows."""


def check_samples(samples: Mapping[str, SampleSpec | MixtureSpec], root: Path) -> None:
    """Raise DataError with every sample that cannot be drawn, as far as files on this machine show it in seconds.

    Nothing is downloaded, and large files are not read.
    """
    if faults := [fault for name, spec in samples.items() for fault in _faults(name, spec, root)]:
        raise DataError("\n".join(faults))


def _faults(name: str, spec: SampleSpec | MixtureSpec, root: Path) -> Iterator[str]:
    if isinstance(spec, MixtureSpec):
        tasks = {f"{name}.tasks.{task}": own for task, own in spec.tasks.items()}
    else:
        tasks = {name: spec}
    for where, own in tasks.items():
        try:
            if _is_cheap(own, root):
                _try(own, root)
        except DataError as error:
            yield f"samples.{where}: {error}"


def _is_cheap(spec: SampleSpec, root: Path) -> bool:
    source = spec.source
    if isinstance(source, HubSource) or (isinstance(source, GlueSource) and source.files is None):
        return False
    if isinstance(source, GlueSource):
        source = files_spec(source, root)
    if not isinstance(source, FilesSource):
        return True
    return sum(path.stat().st_size for path in source_paths(source, root).values() if path.exists()) <= CHEAP_BYTES


def _try(spec: SampleSpec, root: Path) -> None:
    source = open_source(spec.source, root, spec.problem_type, spec.on_empty)
    rows = apply_labels(source.rows(), spec.labels).rows
    labels = {name: split.labels for name, split in rows.splits.items()}
    draw_splits(labels, drop_duplicates(rows, spec.on_empty).kept, rows.label_names, spec)
