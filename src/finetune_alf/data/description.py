"""What a sample was drawn from and what it has, as lines for the terminal."""

from collections.abc import Iterator, Mapping

from finetune_alf.data.duplicates import UniqueRows
from finetune_alf.data.labels import LabelledRows, class_counts
from finetune_alf.data.sample import SPLITS, Card

MAX_CLASSES = 20
"""Of more classes the rest is summed up in one line."""

UNEVEN = 2
"""Classes are uneven where the largest has at least so many times the training texts of the smallest."""


def describe(card: Card, labelled: LabelledRows, unique: UniqueRows) -> Iterator[str]:
    """Yield what was left out of a source, and the rows of each class in the source and in each split."""
    sizes = ", ".join(f"{split} {sum(rows.values())}" for split, rows in card.counts.items())
    yield f"{card.name}: {sizes}. {why_few(labelled, unique) or f'All {labelled.rows.n_rows} rows can be drawn.'}"
    yield from _about_labels(card.name, labelled, unique)
    if card.label_names:
        yield from _table(card, class_counts(labelled.rows))


def why_few(labelled: LabelledRows, unique: UniqueRows) -> str:
    """Return how many rows of a source can be drawn, and what leaves out the others; nothing where all can be."""
    reasons = list(_left_out(labelled, unique))
    n_kept = sum(map(len, unique.kept.values()))
    n_rows = n_kept + sum(n for _, n in reasons)
    return f"Of {n_rows} rows {n_kept} can be drawn: {', '.join(words for words, _ in reasons)}." if reasons else ""


def _left_out(labelled: LabelledRows, unique: UniqueRows) -> Iterator[tuple[str, int]]:
    if labelled.n_left_out and not _have_sets(labelled):
        n = sum(labelled.n_left_out.values())
        yield f"`labels` leaves out {n} ({_with_counts(labelled)})", n
    if n := sum(unique.n_dropped.values()):
        yield f"{n} {'repeats' if n == 1 else 'repeat'} the text of another row", n
    if n := sum(unique.n_empty.values()) + sum(split.n_empty for split in labelled.rows.splits.values()):
        yield f"{n} {'has' if n == 1 else 'have'} no text or label", n


def _have_sets(labelled: LabelledRows) -> bool:
    """Return whether rows can have several classes: where `labels` leaves one out they keep the others."""
    return labelled.rows.splits["train"].sets is not None


def _with_counts(labelled: LabelledRows) -> str:
    return ", ".join(f"{name!r} {n}" for name, n in labelled.n_left_out.items())


def _about_labels(name: str, labelled: LabelledRows, unique: UniqueRows) -> Iterator[str]:
    if labelled.n_left_out and _have_sets(labelled):
        yield f"{name}: left out by `labels`: {_with_counts(labelled)}."
    if n_without := sum(not names for split in labelled.rows.splits.values() for names in split.sets or ()):
        yield f"{name}: {n_without} of {labelled.rows.n_rows} rows have no class."
    if unique.conflicts:
        texts = "1 text has" if len(unique.conflicts) == 1 else f"{len(unique.conflicts)} texts have"
        yield f"{name}: {texts} more than one label; the first one counts, such as at {unique.conflicts[0]}."


def uneven_classes(card: Card, *, is_task: bool = False) -> str | None:
    """Return what makes up for classes with unequal numbers of training texts; None where they are about even.

    A recipe of several tasks can weight no classes: for a task there is the metric alone.
    """
    counts = card.counts["train"]
    rare, frequent = min(counts, key=lambda label: counts[label]), max(counts, key=lambda label: counts[label])
    if not card.label_names or counts[frequent] < UNEVEN * counts[rare]:
        return None
    settings = "`metric` of the task" if is_task else "`class_weights: balanced` of the recipe, and `metric`"
    return (
        f"{card.name}: classes are uneven, {counts[frequent]} training texts of {frequent!r} and {counts[rare]} of "
        f"{rare!r}. So that each counts the same, set {settings} to balanced_accuracy or macro_f1."
    )


def _table(card: Card, in_source: Mapping[str, int]) -> Iterator[str]:
    rows = [["class", "source", *SPLITS]]
    counts = card.class_counts or card.counts
    columns = [in_source, *(counts[split] for split in SPLITS)]
    rows += [[label, *(str(column[label]) for column in columns)] for label in card.label_names[:MAX_CLASSES]]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(one.rjust(width) for one, width in zip(others, widths[1:], strict=True))]
        yield "  " + "  ".join(cells)
    if rest := card.label_names[MAX_CLASSES:]:
        least, most = min(in_source[label] for label in rest), max(in_source[label] for label in rest)
        yield f"  and {len(rest)} more classes, of {least} to {most} rows in the source."
