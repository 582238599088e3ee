"""JSON Lines: one object on each line; duplicate keys and NaN are refused."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from finetune_alf.data.faults import Faults, report
from finetune_alf.data.readers.columns import check_columns
from finetune_alf.data.readers.format import PLAIN, FileFormat
from finetune_alf.data.readers.lines import numbered_lines
from finetune_alf.data.readers.stream import Source, beginning_of
from finetune_alf.errors import DataError, RowError, RowPlace


def read_json_lines(
    path: Source, columns: Sequence[str], form: FileFormat = PLAIN, faults: Faults | None = None
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield each line's number and the values of its columns; blank lines are skipped.

    The first object must have these columns; where a later one lacks one, its value is None. A line that is not an
    object goes to `faults`, or is a DataError without it.
    """
    is_first = True
    for number, line in numbered_lines(path, form.encoding, faults):
        if line.strip():
            try:
                place = RowPlace(str(path), number)
                row = _object(line, place)
                check_columns(place, columns if is_first else (), list(row))
            except DataError as error:
                report(error, None if is_first else faults)
            else:
                yield number, tuple(row.get(column) for column in columns)
            is_first = False


def read_objects(
    path: Source, columns: Sequence[str], needed: Sequence[str], encoding: str = "utf-8"
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield each line's number and the values of its columns, None where an object lacks one that is not needed.

    A key that is no column is a DataError: it would be lost.
    """
    for number, line in numbered_lines(path, encoding):
        if line.strip():
            place = RowPlace(str(path), number)
            row = _object(line, place)
            check_columns(place, needed, list(row))
            if others := [key for key in row if key not in columns]:
                problem = f"has the key {others[0]!r}, which the first row does not have"
                way_out = "Give the first row all keys, with null where it has no value."
                raise RowError(place, problem, way_out, others[0])
            yield number, tuple(row.get(column) for column in columns)


def keys_of(path: Source, encoding: str = "utf-8") -> tuple[str, ...]:
    """Return the keys of the first object."""
    lines = numbered_lines(beginning_of(path), encoding)
    first = next(((number, line) for number, line in lines if line.strip()), None)
    return tuple(_object(first[1], RowPlace(str(path), first[0]))) if first else ()


def _object(line: str, place: RowPlace) -> dict[str, Any]:
    way_out = "Write one JSON object on each line."
    try:
        row = json.loads(line, object_pairs_hook=_with_unique_keys, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise RowError(place._replace(column=error.colno), f"must be JSON, but got: {error.msg}", way_out) from None
    except (ValueError, RecursionError) as error:
        raise RowError(place, f"must be JSON, but got: {error}", way_out) from None
    if not isinstance(row, dict):
        raise RowError(place, f"must be a JSON object, but got {line.strip()[:60]!r}", way_out)
    return row


def _with_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError(f"a duplicate key among {', '.join(repr(key) for key, _ in pairs)}")
    return row


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name}, which is not valid in JSON")
