"""A table file's rows as texts and labels: the step that files_source.py and mini_source.py share."""

from pathlib import Path

from finetune_alf.data.readers.table import read_table, row_mark
from finetune_alf.data.rows import ROWS, SplitRows, Text, label_name, label_score
from finetune_alf.data.spec import TextColumns
from finetune_alf.errors import DataError
from finetune_alf.metrics import LabelKind


def read_split(path: Path, text: TextColumns, label: str, kind: LabelKind = "classes") -> SplitRows:
    """Read one split from one file; raises DataError naming the file, and the row where one is at fault."""
    columns = (text,) if isinstance(text, str) else text
    texts: list[Text] = []
    labels: list[str] = []
    scores: list[float] = []
    numbers: list[int] = []
    for number, values in read_table(path, (*columns, label), (label,) if kind == "score" else ()):
        place = f"{path}{row_mark(path)}{number}"
        parts = [checked_text(value, place) for value in values[:-1]]
        texts.append(parts[0] if len(parts) == 1 else (parts[0], parts[1]))
        if kind == "score":
            scores.append(label_score(values[-1], place))
        labels.append(ROWS if kind == "score" else label_name(values[-1], place))
        numbers.append(number)
    if not texts:
        raise DataError(f"{path}: must hold rows, but has none. Name another file, or leave this split out.")
    return SplitRows(texts, labels, str(path), numbers, row_mark(path), scores if kind == "score" else None)


def checked_text(value: object, place: str) -> str:
    """Return a value that is a text; DataError naming the place for anything else."""
    if not isinstance(value, str):
        raise DataError(
            f"{place}: must have a text, but got {value!r}. "
            "Fill the row or take it out, or name another column as text."
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON can spell half a surrogate pair, which no UTF-8 file can keep.
        raise DataError(f"{place}: must be Unicode text, but got half a surrogate pair. Repair the row.") from None
    return value
