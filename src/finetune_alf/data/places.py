"""Where the texts of a sample are in the user's own files."""

from pathlib import Path

from finetune_alf.data.files_source import source_paths
from finetune_alf.data.glue_source import files_spec
from finetune_alf.data.labels import apply_labels
from finetune_alf.data.rows import SOURCE_SPLITS, Text
from finetune_alf.data.sample import Sample
from finetune_alf.data.source import open_source
from finetune_alf.data.source_spec import FilesSource, GlueSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError, RowPlace


def own_files(spec: SampleSpec, root: Path) -> tuple[Path, ...]:
    """Return the user's files that a sample is drawn from; none for other sources, and where they cannot be named."""
    source = spec.source
    try:
        if isinstance(source, GlueSource) and source.files is not None:
            source = files_spec(source, root)
        return tuple(source_paths(source, root).values()) if isinstance(source, FilesSource) else ()
    except DataError:
        return ()


def text_places(sample: Sample, spec: SampleSpec, root: Path) -> dict[Text, RowPlace]:
    """Return the place of each text in the user's own files, where its first row begins that `labels` do not leave out.

    A sample does not keep places: its files are read again. There are none where it is not from files, and where these
    are gone or have changed since it was drawn.
    """
    if not own_files(spec, root):
        return {}
    try:
        rows = apply_labels(open_source(spec.source, root, spec.problem_type, spec.on_empty).rows(), spec.labels).rows
    except DataError:
        return {}
    if rows.revision != sample.card.revision:
        return {}
    wanted = {text for split in sample.splits.values() for text in split.texts}
    places: dict[Text, RowPlace] = {}
    for split in (rows.splits[name] for name in SOURCE_SPLITS if name in rows.splits):
        for index, text in enumerate(split.texts):
            if text in wanted:
                places.setdefault(text, split.place(index))
    return places
