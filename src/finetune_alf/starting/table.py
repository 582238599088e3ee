"""What a table is found to hold: how it is read, its columns, what the labels are, and its rows."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune_alf.data.duplicates import drop_duplicates
from finetune_alf.data.files_source import FileRows
from finetune_alf.data.labels import apply_labels
from finetune_alf.data.readers.delimited import UNQUOTED
from finetune_alf.data.readers.format import LABEL_SEPARATOR, LabelColumns, label_columns
from finetune_alf.data.readers.numbers import DecimalMark
from finetune_alf.data.readers.parquet import unread_columns
from finetune_alf.data.readers.table import check_suffix, read_table
from finetune_alf.data.rows import Text, flagged
from finetune_alf.data.source_spec import FilesSource
from finetune_alf.data.spec import LabelsSpec
from finetune_alf.data.text_columns import JoinedText, TextColumns, columns_of
from finetune_alf.errors import DataError, InputError, RowError, RowPlace
from finetune_alf.metric_names import ProblemType
from finetune_alf.starting.columns import (
    Guess,
    NamedLabel,
    NamedText,
    check_rows,
    guess_label,
    guess_several,
    guess_text,
    has_usual_label,
    named_flags,
)
from finetune_alf.starting.profile import TableProfile, profile_of
from finetune_alf.starting.reading import Reading, guess_reading
from finetune_alf.starting.several import SeveralClasses, flags_in, several_of_flags
from finetune_alf.starting.task import guess_task


@dataclass(frozen=True)
class FoundTable:
    """The guesses about a table, and what they follow from.

    `texts` has each text once, and `counts` the rows of each class without duplicates and empty rows; `n_repeated` rows
    have the text of an earlier one, `n_left_out` no text or label.
    """

    reading: Reading
    profile: TableProfile
    text: Guess[TextColumns]
    label: Guess[LabelColumns]
    task: Guess[ProblemType]
    texts: Sequence[Text]
    counts: Mapping[str, int]
    n_repeated: int
    n_left_out: int
    label_separator: str = LABEL_SEPARATOR
    decimal: DecimalMark = "."

    @property
    def n_empty(self) -> dict[str, int]:
        """The empty rows of the columns of text and label that have any; parts of a joined text may be empty."""
        columns, label, text = self.profile.columns, label_columns(self.label.value), columns_of(self.text.value)
        has_sets = self.task.value == "multi_label" and len(label) == 1  # an empty string is a row of no class
        found = {name: columns[name].n_missing if has_sets else columns[name].n_empty for name in label}
        if not isinstance(self.text.value, JoinedText):
            found |= {name: columns[name].n_empty for name in text}
        return {name: n for name, n in found.items() if n}

    def without(self, names: Collection[str]) -> "FoundTable":
        """Return the table without the counts of some classes; the texts stay, for their lengths."""
        return replace(self, counts={name: n for name, n in self.counts.items() if name not in names})


def find_table(
    path: Path,
    text: NamedText = (),
    label: NamedLabel = None,
    labels: LabelsSpec | None = None,
    task: ProblemType | None = None,
) -> FoundTable:
    """Look at a table; `text` and `label` are the user's own columns. A file that only reads without quotes has none.

    `task` is what labels are, where the user names it. Classes are counted as `labels` join and leave them out.

    Raises DataError for a table that cannot be read, and InputError where there is nothing to guess from.
    """
    reading = guess_reading(path)
    try:
        return _found(path, reading, text, label, labels or LabelsSpec(), task)
    except DataError as error:
        unquoted = reading.without_quotes(path, _first_fault(error))
        if unquoted is None:
            raise
        try:
            return _found(path, unquoted, text, label, labels or LabelsSpec(), task)
        except InputError:
            message = str(error).replace(UNQUOTED, "Without quotes the file cannot be read either.")
            raise DataError(message, error.faults) from None  # settings of a source come after `init`


def _found(
    path: Path, reading: Reading, text: NamedText, label: NamedLabel, labels: LabelsSpec, named: ProblemType | None
) -> FoundTable:
    names = tuple(filter(None, reading.columns))  # a column without a name is the index of a data frame, or empty
    rows = read_table(path, names, names, form=reading.form, labels=None)
    unread = unread_columns(path) if check_suffix(path) == ".parquet" else None
    profile = profile_of(names, (values for number, values in rows), unread)
    check_rows(path, profile)
    text_guess = guess_text(profile, text, label)
    several: SeveralClasses | None = None
    if isinstance(label, tuple):
        several = named_flags(profile, text_guess.value, label)
    elif named in (None, "multi_label"):
        several = guess_several(profile, text_guess.value, label) or _flags(path, reading, profile, text_guess, label)
    if several:
        label_guess: Guess[LabelColumns] = Guess(several.label, several.seen)
        task: Guess[ProblemType] = Guess("multi_label", "a text can have any number of them")
    else:
        one = guess_label(profile, text_guess.value, label if isinstance(label, str) else None)
        label_guess, task = Guess(one.value, one.seen), guess_task(profile.columns[one.value])
        task = task if named is None else Guess(named, "named by problem_type")
    if task.value == "regression" and labels != LabelsSpec():
        raise InputError(
            "labels: must be left out where labels are scores, which have no classes, but column "
            f"{label_guess.value!r} has {task.seen}. Leave it out, or write names in the place of the numbers.",
            option="--labels",
        )
    separator = several.separator if several else LABEL_SEPARATOR
    has_commas = task.value == "regression" and profile.columns[str(label_guess.value)].has_decimal_commas
    decimal: DecimalMark = "," if has_commas else "."
    source = FilesSource(
        train=str(path.absolute()),  # a link may lead to a file without the extension
        text=text_guess.value,
        label=label_guess.value,
        label_separator=separator,
        decimal=decimal,
        **reading.settings(),
    )
    texts, counts, n_repeated, n_left_out = _unique_rows(source, path.parent, task.value, labels)
    return FoundTable(
        reading=reading,
        profile=profile,
        text=text_guess,
        label=label_guess,
        task=task,
        texts=texts,
        counts=counts,
        n_repeated=n_repeated,
        n_left_out=n_left_out,
        label_separator=separator,
        decimal=decimal,
    )


def _flags(
    path: Path, reading: Reading, profile: TableProfile, text: Guess[TextColumns], label: str | None
) -> SeveralClasses | None:
    """Return labels in columns of 0 and 1, unless a column is named, or has the usual name of a label."""
    taken = columns_of(text.value)
    names = flags_in([column for name, column in profile.columns.items() if name not in taken])
    if not names or label is not None or has_usual_label(profile, text.value):
        return None
    rows = read_table(path, names, names, form=reading.form, labels=None)
    return several_of_flags(
        names, Counter(len(flagged(names, values, RowPlace(str(path), number))) for number, values in rows)
    )


def _first_fault(error: DataError) -> str:
    """Return where and why, without the way out; several faults are listed a line each."""
    if isinstance(error, RowError):
        return error.short
    _, _, listed = str(error).partition("\n")
    return (listed or str(error)).splitlines()[0].strip()


def _unique_rows(
    source: FilesSource, root: Path, task: ProblemType, labels: LabelsSpec
) -> tuple[Sequence[Text], Mapping[str, int], int, int]:
    """Read the table as `prepare` does, without empty rows.

    Returns each text once, the rows of each class, how many rows repeat a text, and how many are empty.
    """
    rows = apply_labels(FileRows(source, root, task, on_empty="drop").rows(), labels).rows
    unique, train = drop_duplicates(rows, "drop"), rows.splits["train"]
    kept = unique.kept["train"]
    counts = dict.fromkeys(rows.label_names, 0)
    for index in kept:
        for name in (train.labels[index],) if train.sets is None else train.sets[index]:
            counts[name] += 1
    n_left_out = train.n_empty + unique.n_empty["train"]
    return [train.texts[index] for index in kept], counts, unique.n_dropped["train"], n_left_out
