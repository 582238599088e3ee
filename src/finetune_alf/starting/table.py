"""What a table is found to hold: how it is read, its columns, what the labels are, and its rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune_alf.data.duplicates import drop_duplicates
from finetune_alf.data.files_source import FileRows
from finetune_alf.data.readers.table import read_table
from finetune_alf.data.rows import Text, check_labels
from finetune_alf.data.spec import FilesSource
from finetune_alf.data.text_columns import JoinedText, TextColumns, columns_of
from finetune_alf.errors import DataError, InputError, RowError
from finetune_alf.metrics import ProblemType
from finetune_alf.starting.columns import Guess, NamedText, guess_label, guess_task, guess_text
from finetune_alf.starting.profile import TableProfile, profile_of
from finetune_alf.starting.reading import Reading, guess_reading


@dataclass(frozen=True)
class FoundTable:
    """The guesses about a table, and what they follow from.

    `texts` has each text once, and `counts` the rows of each class without duplicates and empty rows.
    """

    reading: Reading
    profile: TableProfile
    text: Guess[TextColumns]
    label: Guess[str]
    task: Guess[ProblemType]
    texts: Sequence[Text]
    counts: Mapping[str, int]

    @property
    def n_empty(self) -> dict[str, int]:
        """The empty rows of the columns of text and label that have any; parts of a joined text may be empty."""
        text = () if isinstance(self.text.value, JoinedText) else columns_of(self.text.value)
        columns = {name: self.profile.columns[name] for name in (self.label.value, *text)}
        return {name: column.n_empty for name, column in columns.items() if column.n_empty}

    def without(self, names: Collection[str]) -> "FoundTable":
        """Return the table without the counts of some classes; the texts stay, for their lengths."""
        return replace(self, counts={name: n for name, n in self.counts.items() if name not in names})


def find_table(path: Path, text: NamedText = (), label: str | None = None) -> FoundTable:
    """Look at a table; `text` and `label` are the user's own columns. A file that only reads without quotes has none.

    Raises DataError for a table that cannot be read, and InputError where there is nothing to guess from.
    """
    reading = guess_reading(path)
    try:
        return _found(path, reading, text, label)
    except DataError as error:
        unquoted = reading.without_quotes(path, _first_fault(error))
        if unquoted is None:
            raise
        try:
            return _found(path, unquoted, text, label)
        except InputError:
            raise error from None


def _found(path: Path, reading: Reading, text: NamedText, label: str | None) -> FoundTable:
    names = reading.columns
    profile = profile_of(names, (values for _, values in read_table(path, names, names, form=reading.form)))
    text_guess = guess_text(profile, text, label)
    label_guess = guess_label(profile, text_guess.value, label)
    task = guess_task(profile.columns[label_guess.value])
    texts, counts = _unique_rows(path, reading, text_guess.value, label_guess.value, task.value)
    return FoundTable(reading, profile, text_guess, label_guess, task, texts, counts)


def _first_fault(error: DataError) -> str:
    """Return where and why, without the way out; several faults are listed a line each."""
    if isinstance(error, RowError):
        return error.short
    _, _, listed = str(error).partition("\n")
    return (listed or str(error)).splitlines()[0].strip()


def _unique_rows(
    path: Path, reading: Reading, text: TextColumns, label: str, task: ProblemType
) -> tuple[Sequence[Text], Mapping[str, int]]:
    """Read the table as `prepare` does; return each text once, and the rows of each class, without empty rows."""
    source = FilesSource(train=str(path.resolve()), text=text, label=label, **reading.settings())
    rows = FileRows(source, path.parent, task, on_empty="drop").rows()
    check_labels(rows)
    kept, train = drop_duplicates(rows, "drop").kept["train"], rows.splits["train"]
    counts = dict.fromkeys(rows.label_names, 0)
    for index in kept:
        counts[train.labels[index]] += 1
    return [train.texts[index] for index in kept], counts
