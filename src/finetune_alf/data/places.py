"""Where the texts of a sample are in the user's own files."""

from pathlib import Path

from finetune_alf.data.rows import SOURCE_SPLITS, Text
from finetune_alf.data.sample import Sample
from finetune_alf.data.source import open_source
from finetune_alf.data.spec import FilesSource, GlueSource, SampleSpec
from finetune_alf.errors import DataError


def text_places(sample: Sample, spec: SampleSpec, root: Path) -> dict[Text, str]:
    """Return the place of each text, such as `reviews.csv:12`, where its first row is.

    A sample does not keep places: its files are read again. There are none where it is not from files, and where these
    are gone or have changed since it was drawn.
    """
    if not (isinstance(spec.source, FilesSource) or (isinstance(spec.source, GlueSource) and spec.source.files)):
        return {}
    try:
        rows = open_source(spec.source, root, spec.problem_type, spec.on_empty).rows()
    except DataError:
        return {}
    if rows.revision != sample.card.revision:
        return {}
    wanted = {text for split in sample.splits.values() for text in split.texts}
    places: dict[Text, str] = {}
    for split in (rows.splits[name] for name in SOURCE_SPLITS if name in rows.splits):
        for index, text in enumerate(split.texts):
            if text in wanted:
                places.setdefault(text, split.location(index))
    return places
