"""The rows of a table with the class of each and its probabilities, in chunks, so that memory stays constant."""

from collections.abc import Iterator, Sequence
from itertools import islice

from finetune_alf.classifier.classifier import Classifier
from finetune_alf.data.rows import Text, is_empty
from finetune_alf.data.table import Row, Table
from finetune_alf.data.table_rows import check_text

CHUNK = 2048
"""So many rows are in memory at once; those of a chunk run in batches of similar length."""


def added_columns(columns: Sequence[str], label_names: Sequence[str]) -> list[str]:
    """Return the names of what is added to a row; they start with `predicted.` where the table has one of them."""
    names = ["label", "probability", *(f"probability.{name}" for name in label_names)]
    return [f"predicted.{name}" for name in names] if set(names) & set(columns) else names


def labelled_rows(classifier: Classifier, table: Table, text: Sequence[str], chunk: int = CHUNK) -> Iterator[list[Row]]:
    """Yield the rows in order, chunk by chunk, with what `added_columns` names.

    `text` has the column of the text, or the two of a pair. A row without text has neither class nor probabilities.
    Raises DataError as `Table.rows` does, and RowError for a text that is no string.
    """
    at = [table.columns.index(column) for column in text]
    rows = table.rows()
    while found := list(islice(rows, chunk)):
        texts: dict[int, Text] = {}
        for index, (where, values) in enumerate(found):
            parts = [values[each] for each in at]
            if not any(map(is_empty, parts)):
                first, *others = (check_text(part, where) for part in parts)
                texts[index] = (first, others[0]) if others else first
        added = dict(zip(texts, _added(classifier, list(texts.values())), strict=True))
        nothing = (None,) * (2 + len(classifier.label_names))
        yield [(*values, *added.get(index, nothing)) for index, (_, values) in enumerate(found)]


def _added(classifier: Classifier, texts: Sequence[Text]) -> list[Row]:
    """Return the class, its probability and those of all classes, for each text."""
    probabilities = classifier.probabilities(texts)
    names = classifier.names(probabilities)
    return [(name, max(row), *row) for name, row in zip(names, probabilities.tolist(), strict=True)]
