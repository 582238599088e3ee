"""The rows of a table with the class of each and its probabilities, in chunks, so that memory stays constant."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from finetune_alf.classifier.text_classifier import TextClassifier
from finetune_alf.data.rows import Text
from finetune_alf.data.table import Row, Table
from finetune_alf.data.table_rows import read_text
from finetune_alf.data.text_columns import TextColumns, columns_of, has_text
from finetune_alf.errors import RowPlace

CHUNK = 2048
"""So many rows are in memory at once; those of a chunk run in batches of similar length."""


@dataclass(frozen=True)
class LabelledChunk:
    """Rows with what `added_columns` names.

    `n_empty` is how many have no text, and no class. `n_full` is how many have as many tokens as the classifier reads,
    or more.
    """

    rows: Sequence[Row]
    n_empty: int
    n_full: int


def added_columns(columns: Sequence[str], label_names: Sequence[str]) -> list[str]:
    """Return the names of what is added to a row; they start with `predicted.` where the table has one of them."""
    names = ["label", "probability", *(f"probability.{name}" for name in label_names)]
    while set(names) & set(columns):
        names = [f"predicted.{name}" for name in names]
    return names


def labelled_chunks(
    classifier: TextClassifier,
    table: Table,
    text: TextColumns,
    report: Callable[[int, int], None] = lambda position, n_rows: None,
    chunk: int = CHUNK,
) -> Iterator[LabelledChunk]:
    """Yield the rows in order, chunk by chunk.

    `report` is given the position in the table, and how many rows are labelled, batch by batch.
    A row without text has neither class nor probabilities.
    Raises DataError as `Table.rows` does, and RowError for a text that is no string.
    """
    at = [table.columns.index(column) for column in columns_of(text)]
    rows, start, n_rows = table.rows(), 0, 0
    while found := list(islice(rows, chunk)):
        share = partial(_report_share, report, (start, table.position), (n_rows, n_rows + len(found)))
        start, n_rows = table.position, n_rows + len(found)
        yield labelled(classifier, text, found, at, share)


def _report_share(
    report: Callable[[int, int], None], positions: tuple[int, int], rows: tuple[int, int], done: float
) -> None:
    """Report the position and the number of rows of which a part of a chunk is done."""
    position, n_rows = (round(start + done * (end - start)) for start, end in (positions, rows))
    report(position, n_rows)


def labelled(
    classifier: TextClassifier,
    text: TextColumns,
    found: Sequence[tuple[RowPlace, Row]],
    at: Sequence[int],
    report: Callable[[float], None] = lambda done: None,
) -> LabelledChunk:
    """Label rows, each with where it is, whose text is in the columns `at`; `report` is given the part that is done."""
    texts: dict[int, Text] = {}
    for index, (place, values) in enumerate(found):
        parts = [values[each] for each in at]
        if has_text(text, parts):
            texts[index] = read_text(text, parts, place)
    probabilities, n_full = classifier.predicted(list(texts.values()), report)
    added: dict[int, Row] = dict(zip(texts, classifier.answers(probabilities), strict=True))
    nothing = (None,) * (2 + len(classifier.label_names))
    rows = [(*values, *added.get(index, nothing)) for index, (_, values) in enumerate(found)]
    return LabelledChunk(rows, len(found) - len(texts), n_full)
