"""Draw a sample or a mixture from its source and write it to a folder."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pydantic import JsonValue

from finetune_alf.data.description import describe, uneven_classes, why_few
from finetune_alf.data.draw import DrawnSplit, draw_splits
from finetune_alf.data.duplicates import UniqueRows, drop_duplicates
from finetune_alf.data.label_warnings import label_warnings, unlearnable_classes
from finetune_alf.data.labels import apply_labels, class_counts
from finetune_alf.data.mixture import MixtureCard, card_of
from finetune_alf.data.rows import SINGLE_CLASS, SourceRows
from finetune_alf.data.sample import Card, Sample, Split, rows_digest, save_sample
from finetune_alf.data.source import open_source
from finetune_alf.data.spec import MixtureSpec, SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.folders import replace_folder
from finetune_alf.json_files import write_json
from finetune_alf.spec import ADDED_LATER

logger = logging.getLogger(__name__)


Log = Callable[[str], None]
"""What takes the lines about a sample that was drawn."""


def prepare_sample(
    name: str,
    spec: SampleSpec,
    folder: Path,
    root: Path | None = None,
    *,
    mixture: str | None = None,
    log: Log = logger.info,
) -> Card:
    """Read a source, draw a sample and write it to `folder` atomically.

    Relative paths of the source start at `root`, by default the working directory. Raises DataError, naming the sample
    and the mixture that it is a task of.
    """
    try:
        source = open_source(spec.source, root or Path.cwd(), spec.problem_type, spec.on_empty)
        sample = draw_sample(name, spec, source.rows(), log)
    except DataError as error:
        raise DataError(f"samples.{f'{mixture}.tasks.' if mixture else ''}{name}: {error}", error.faults) from error
    save_sample(folder, sample)
    return sample.card


def prepare_mixture(
    name: str, spec: MixtureSpec, folder: Path, root: Path | None = None, log: Log = logger.info
) -> MixtureCard:
    """Draw the sample of each task and write them all to `folder` atomically.

    Raises DataError, naming the task whose sample cannot be drawn.
    """
    with replace_folder(folder) as temporary:
        cards = {
            task: prepare_sample(task, one, temporary / task, root, mixture=name, log=log)
            for task, one in spec.tasks.items()
        }
        for hint in filter(None, (uneven_classes(card, is_task=True) for card in cards.values())):
            log(hint)
        card = card_of(name, cards)
        write_json(temporary / "card.json", card.model_dump(mode="json"))
    return card


def draw_sample(name: str, spec: SampleSpec, rows: SourceRows, log: Log = logger.info) -> Sample:
    """Draw a sample from a source's rows; equal rows and specs give equal samples.

    `log` takes what was left out, and the rows of each class. What looks like one class under two names, or like no
    class, is a warning.
    """
    labelled = apply_labels(rows, spec.labels)
    rows = labelled.rows
    if rows.splits["train"].scores is None:
        for text in label_warnings(class_counts(rows)):
            logger.warning("%s: %s", name, text)
    unique = drop_duplicates(rows, spec.on_empty)
    labels = {source: split.labels for source, split in rows.splits.items()}
    drawn = draw_splits(labels, unique.kept, rows.drawn_by, spec, why_few(labelled, unique))
    splits = {split: read_split(rows, part) for split, part in drawn.items()}
    card = _card(name, spec, rows, unique, drawn, splits)
    for text in unlearnable_classes(card):
        logger.warning("%s: %s", name, text)
    for line in describe(card, labelled, unique):
        log(line)
    return Sample(name, card, splits)


def read_split(rows: SourceRows, part: DrawnSplit) -> Split:
    """Return the texts of drawn rows, with their labels as a split has them."""
    source = rows.splits[part.source_split]
    texts = tuple(source.texts[index] for index in part.indices)
    if source.scores is not None:
        return Split(texts, tuple(source.scores[index] for index in part.indices))
    class_indices = {name: index for index, name in enumerate(rows.label_names)}
    if source.sets is not None:
        own = (source.sets[index] for index in part.indices)
        return Split(texts, tuple(tuple(sorted(class_indices[name] for name in names)) for names in own))
    return Split(texts, tuple(class_indices[source.labels[index]] for index in part.indices))


def _card(
    name: str,
    spec: SampleSpec,
    rows: SourceRows,
    unique: UniqueRows,
    drawn: dict[str, DrawnSplit],
    splits: dict[str, Split],
) -> Card:
    names = () if spec.problem_type == "regression" else rows.label_names
    several = spec.problem_type == "multi_label"
    return Card(
        name=name,
        source=_source_of(spec),
        revision=rows.revision,
        label_names=names,
        counts={split: counts_of(part, () if several else names) for split, part in splits.items()},
        class_counts={split: class_counts_of(part, names) for split, part in splits.items()} if several else None,
        drawn_from={split: part.source_split for split, part in drawn.items()},
        n_source_rows=rows.n_rows,
        duplicates_dropped=dict(unique.n_dropped),
        seed=spec.seed,
        digest=rows_digest(names, splits),
    )


def _source_of(spec: SampleSpec) -> dict[str, JsonValue]:
    """Return a source as JSON, without what cards are older than where it is at its default."""
    fields = type(spec.source).model_fields.items()
    later = {name: field.get_default() for name, field in fields if ADDED_LATER in field.metadata}
    unset = {name for name, default in later.items() if getattr(spec.source, name) == default}
    return spec.source.model_dump(mode="json", exclude=unset)


def counts_of(split: Split, label_names: tuple[str, ...]) -> dict[str, int]:
    """Return the rows of a split by label name; without names their number."""
    if not label_names:
        return {SINGLE_CLASS: len(split.labels)}
    counts = Counter(split.labels)
    return {name: counts[index] for index, name in enumerate(label_names)}


def class_counts_of(split: Split, label_names: tuple[str, ...]) -> dict[str, int]:
    """Return how many rows of a split have each class, where a row can have several."""
    counts = Counter(index for label in split.labels if isinstance(label, tuple) for index in label)
    return {name: counts[index] for index, name in enumerate(label_names)}
