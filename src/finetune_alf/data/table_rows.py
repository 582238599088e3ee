"""Texts and labels from the rows of a table file."""

from pathlib import Path

from finetune_alf.data.readers.table import read_table, row_separator
from finetune_alf.data.rows import SINGLE_CLASS, SplitRows, Text, label_name, label_score
from finetune_alf.data.spec import TextColumns
from finetune_alf.errors import DataError
from finetune_alf.metrics import ProblemType


def read_split(path: Path, text: TextColumns, label: str, problem_type: ProblemType = "classification") -> SplitRows:
    """Read one split from one file; raises DataError, naming the file and, if one is invalid, the row."""
    columns = (text,) if isinstance(text, str) else text
    is_regression = problem_type == "regression"
    texts: list[Text] = []
    labels: list[str] = []
    scores: list[float] = []
    numbers: list[int] = []
    for number, values in read_table(path, (*columns, label), (label,) if is_regression else ()):
        location = f"{path}{row_separator(path)}{number}"
        parts = [check_text(value, location) for value in values[:-1]]
        texts.append(parts[0] if len(parts) == 1 else (parts[0], parts[1]))
        if is_regression:
            scores.append(label_score(values[-1], location))
        labels.append(SINGLE_CLASS if is_regression else label_name(values[-1], location))
        numbers.append(number)
    if not texts:
        raise DataError(f"{path}: must have rows, but has none. Use another file, or leave this split out.")
    return SplitRows(texts, labels, str(path), numbers, row_separator(path), scores if is_regression else None)


def check_text(value: object, location: str) -> str:
    """Return a value that is a valid string; raises DataError, naming the location, for anything else."""
    if not isinstance(value, str):
        raise DataError(
            f"{location}: the text must be a string, but got {value!r}. "
            "Fill the row or remove it, or use another column as text."
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON can contain a lone surrogate, which cannot be encoded as UTF-8.
        raise DataError(f"{location}: the text must be Unicode, but got a lone surrogate. Correct the row.") from None
    return value
