"""JSON Lines: one object a line; duplicate keys and NaN are refused."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from finetune_alf.data.readers.columns import check_columns
from finetune_alf.data.readers.lines import numbered_lines
from finetune_alf.errors import DataError


def read_json_lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield each line's number and the values of its columns; wholly blank lines are passed over.

    Raises DataError, naming file and line, at a line that is not an object with these columns.
    """
    for number, line in numbered_lines(path):
        if line.strip():
            row = _object(line, f"{path}:{number}")
            check_columns(f"{path}:{number}", columns, list(row))
            yield number, tuple(row[column] for column in columns)


def _object(line: str, place: str) -> dict[str, Any]:
    way_out = "Write one JSON object a line."
    try:
        row = json.loads(line, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise DataError(f"{place}:{error.colno}: must be JSON, but got: {error.msg}. {way_out}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: must be JSON, but got: {error}. {way_out}") from None
    if not isinstance(row, dict):
        raise DataError(f"{place}: must be a JSON object, but got {line.strip()[:60]!r}. {way_out}")
    return row


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError(f"a key twice, of {', '.join(repr(key) for key, _ in pairs)}")
    return row


def _no_constant(name: str) -> float:
    raise ValueError(f"{name}, which is no JSON value")
