"""Text files as fastText takes them, a row a line: `__label__NAME text`."""

import re
from collections.abc import Iterator, Sequence

from finetune_alf.data.faults import Faults, report
from finetune_alf.data.readers.columns import check_columns
from finetune_alf.data.readers.format import FileFormat
from finetune_alf.data.readers.lines import numbered_lines
from finetune_alf.data.readers.stream import Source, beginning_of
from finetune_alf.errors import RowError

COLUMNS = ("text", "label")
_LABEL = re.compile(r"(?:^|(?<=\s))__label__(\S+)\s*")


def is_fasttext(path: Source, encoding: str = "utf-8") -> bool:
    """Say whether the first line that is not blank has a label of fastText."""
    first = next((text for _, text in numbered_lines(beginning_of(path), encoding) if text.strip()), "")
    return _LABEL.search(first) is not None


def read_fasttext(
    path: Source, columns: Sequence[str], form: FileFormat, faults: Faults | None
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield each line's number and its values; a line without one label goes to `faults`, or is a DataError."""
    check_columns(str(path), columns, COLUMNS)
    for number, line in numbered_lines(path, form.encoding, faults):
        labels = _LABEL.findall(line)
        if line.strip() and len(labels) != 1:
            problem = f"must have one label, as in `__label__NAME text`, but got {len(labels)}"
            report(RowError(f"{path}:{number}", problem, "Give every line one label."), faults)
        elif line.strip():
            row = {"text": _LABEL.sub("", line).strip(), "label": labels[0]}
            yield number, tuple(row[column] for column in columns)
