"""Text files as fastText takes them, a row a line: `__label__NAME text`."""

import re
from collections.abc import Iterator, Sequence

from finetune_alf.data.faults import Faults, report
from finetune_alf.data.readers.columns import check_columns
from finetune_alf.data.readers.format import FileFormat
from finetune_alf.data.readers.lines import numbered_lines
from finetune_alf.data.readers.stream import Source, beginning_of
from finetune_alf.errors import RowError, RowPlace

COLUMNS = ("text", "label")
_LABEL = re.compile(r"(?:^|(?<=\s))__label__(\S+)\s*")


def is_fasttext(path: Source, encoding: str = "utf-8") -> bool:
    """Say whether the first line that is not blank has a label of fastText."""
    first = next((text for _, text in numbered_lines(beginning_of(path), encoding) if text.strip()), "")
    return _LABEL.search(first) is not None


def read_fasttext(
    path: Source, columns: Sequence[str], form: FileFormat, faults: Faults | None, can_have_several: bool = False
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield each line's number and its values; a line without one label goes to `faults`, or is a DataError.

    Where a row can have several classes, the value of `label` is a list.
    """
    check_columns(RowPlace(str(path)), columns, COLUMNS)
    for number, line in numbered_lines(path, form.encoding, faults):
        labels = _LABEL.findall(line)
        if line.strip() and len(labels) != 1 and not can_have_several:
            problem = f"must have one label, as in `__label__NAME text`, but got {len(labels)}"
            way_out = "Give every line one label, or set `problem_type: multi_label` of the sample."
            report(RowError(RowPlace(str(path), number), problem, way_out), faults)
        elif line.strip():
            row = {"text": _LABEL.sub("", line).strip(), "label": labels if can_have_several else labels[0]}
            yield number, tuple(row[column] for column in columns)
