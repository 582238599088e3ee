"""A sample whose training split is every labelled text of its source, but those that a test is about."""

from collections.abc import Iterator
from pathlib import Path

from finetune_alf.data.draw import DrawnSplit, draw_splits
from finetune_alf.data.duplicates import drop_duplicates
from finetune_alf.data.labels import apply_labels
from finetune_alf.data.prepare import class_counts_of, counts_of, read_split
from finetune_alf.data.rows import SOURCE_SPLITS
from finetune_alf.data.sample import Sample, Split, rows_digest
from finetune_alf.data.source import open_source
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError


def with_all_texts(sample: Sample, spec: SampleSpec, root: Path) -> Sample:
    """Return a sample with all labelled texts of its source for training, each once; its other splits stay.

    Its test texts are left out, and the test split of the source where that has one. Relative paths of the source start
    at `root`. Raises DataError where the source, or the spec, is not what the sample was drawn from.
    """
    rows = apply_labels(open_source(spec.source, root, spec.problem_type, spec.on_empty).rows(), spec.labels).rows
    kept, names = drop_duplicates(rows, spec.on_empty).kept, sample.card.label_names
    labels = {source: split.labels for source, split in rows.splits.items()}
    drawn = draw_splits(labels, kept, rows.drawn_by, spec)
    if rows_digest(names, {split: read_split(rows, part) for split, part in drawn.items()}) != sample.card.digest:
        raise DataError(
            f"sample {sample.name}: its source is not what the sample was drawn from. "
            "Run the prepare stage again, and what follows from it."
        )
    held_out = set(drawn["test"].indices)

    def parts() -> Iterator[Split]:
        for source in SOURCE_SPLITS:
            if source in kept and source != "test":
                own = (at for at in kept[source] if source != drawn["test"].source_split or at not in held_out)
                yield read_split(rows, DrawnSplit(source, tuple(own)))

    found = list(parts())
    train = Split(tuple(text for part in found for text in part.texts), sum((part.labels for part in found), ()))
    splits = {**sample.splits, "train": train}
    several = sample.card.class_counts
    card = sample.card.model_copy(
        update={
            "counts": {**sample.card.counts, "train": counts_of(train, () if several else names)},
            "class_counts": {**several, "train": class_counts_of(train, names)} if several else None,
            "drawn_from": {**sample.card.drawn_from, "train": "all"},
            "digest": rows_digest(names, splits),
        }
    )
    return Sample(sample.name, card, splits)
