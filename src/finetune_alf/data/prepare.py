"""From a spec to a sample on disk, in one call."""

import logging
from collections import Counter
from pathlib import Path

from finetune_alf.data.draw import DrawnSplit, draw_splits
from finetune_alf.data.duplicates import Distinct, drop_duplicates
from finetune_alf.data.mixture import MixtureCard, card_of
from finetune_alf.data.rows import ROWS, SourceRows
from finetune_alf.data.sample import Card, Sample, Split, rows_digest, save_sample
from finetune_alf.data.source import open_source
from finetune_alf.data.spec import MixtureSpec, SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.files import replace_folder, write_json

logger = logging.getLogger(__name__)


def prepare_sample(
    name: str, spec: SampleSpec, folder: Path, root: Path | None = None, *, mixture: str | None = None
) -> Card:
    """Read a source, draw a sample and keep it in `folder`, which appears complete or not at all.

    Relative paths of the source start at `root`, the current folder unless given. Raises DataError naming the sample,
    and the mixture that it is a task of.
    """
    try:
        sample = draw_sample(name, spec, open_source(spec.source, root or Path.cwd(), spec.task).rows())
    except DataError as error:
        raise DataError(f"samples.{f'{mixture}.tasks.' if mixture else ''}{name}: {error}") from error
    save_sample(folder, sample)
    logger.info("%s: %s, %s rows repeated a text", name, sample.card.counts, sample.card.duplicates_dropped)
    return sample.card


def prepare_mixture(name: str, spec: MixtureSpec, folder: Path, root: Path | None = None) -> MixtureCard:
    """Draw a sample for each task, and keep them all in `folder`, which appears complete or not at all.

    Raises DataError naming the task whose sample cannot be drawn.
    """
    with replace_folder(folder) as temporary:
        cards = {
            task: prepare_sample(task, one, temporary / task, root, mixture=name) for task, one in spec.tasks.items()
        }
        card = card_of(name, cards)
        write_json(temporary / "card.json", card.model_dump(mode="json"))
    return card


def draw_sample(name: str, spec: SampleSpec, rows: SourceRows) -> Sample:
    """Draw a sample from a source's rows; the same rows and spec give the same sample."""
    distinct = drop_duplicates(rows)
    labels = {given: split.labels for given, split in rows.splits.items()}
    drawn = draw_splits(labels, distinct.kept, rows.label_names, spec)
    splits = {split: _read(rows, part) for split, part in drawn.items()}
    return Sample(name, _card(name, spec, rows, distinct, drawn, splits), splits)


def _read(rows: SourceRows, part: DrawnSplit) -> Split:
    given = rows.splits[part.given]
    texts = tuple(given.texts[index] for index in part.indices)
    if given.scores is not None:
        return Split(texts, tuple(given.scores[index] for index in part.indices))
    ids = {name: number for number, name in enumerate(rows.label_names)}
    return Split(texts, tuple(ids[given.labels[index]] for index in part.indices))


def _card(
    name: str,
    spec: SampleSpec,
    rows: SourceRows,
    distinct: Distinct,
    drawn: dict[str, DrawnSplit],
    splits: dict[str, Split],
) -> Card:
    names = rows.label_names if spec.task == "classes" else ()
    return Card(
        name=name,
        source=spec.source.model_dump(mode="json"),
        revision=rows.revision,
        label_names=names,
        counts={split: _counts(part, names) for split, part in splits.items()},
        drawn_from={split: part.given for split, part in drawn.items()},
        n_source_rows=rows.n_rows,
        duplicates_dropped=dict(distinct.dropped),
        seed=spec.seed,
        digest=rows_digest(names, splits),
    )


def _counts(split: Split, label_names: tuple[str, ...]) -> dict[str, int]:
    if not label_names:
        return {ROWS: len(split.labels)}
    counted = Counter(split.labels)
    return {name: counted[number] for number, name in enumerate(label_names)}
