"""Parquet, read in batches, the wanted columns only."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetune_alf.data.readers.columns import check_columns
from finetune_alf.errors import DataError, RowPlace

N_ROWS_AT_ONCE = 4096
"""So many rows are in memory as Python's objects."""


def read_parquet(
    path: Path, columns: Sequence[str], float_columns: Sequence[str] = ()
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield each row's number, from 1, and its values; only `float_columns` can have floating-point numbers or lists.

    Raises DataError, naming the file, when it is not Parquet, or a column has another type.
    """
    with _named_errors(path):
        yield from _rows(path, columns, float_columns)


def read_any(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield each row's number, from 1, and its values, whatever their type; raises DataError as `read_parquet` does."""
    with _named_errors(path):
        yield from _rows(path, columns, None)


def shape_of(path: Path) -> tuple[tuple[str, ...], int]:
    """Return the names of all columns, and the number of rows; raises DataError as `read_parquet` does."""
    import pyarrow.parquet as pq

    with _named_errors(path), pq.ParquetFile(path) as file:
        check_columns(RowPlace(str(path)), (), file.schema_arrow.names)
        return tuple(file.schema_arrow.names), file.metadata.num_rows


def readable_columns(path: Path) -> tuple[str, ...]:
    """Return the names of the columns of strings, numbers, booleans or lists of these; DataError as `read_parquet`."""
    return tuple(name for name, _, is_read in _columns(path) if is_read)


def unread_columns(path: Path) -> dict[str, str]:
    """Return the types of the other columns by their names; DataError as `read_parquet`."""
    return {name: kind for name, kind, is_read in _columns(path) if not is_read}


def _columns(path: Path) -> list[tuple[str, str, bool]]:
    """Return the name and the type of each column, and whether `init` reads it."""
    import pyarrow.parquet as pq

    with _named_errors(path), pq.ParquetFile(path) as file:
        check_columns(RowPlace(str(path)), (), file.schema_arrow.names)
        return [
            (field.name, str(field.type), _is_readable(_items(field.type), can_be_float=True))
            for field in file.schema_arrow
        ]


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Raise DataError, naming the file, for one that is not Parquet."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path}: must be a whole Parquet file, but got: {reason}. Write or copy it again.") from error


def _rows(
    path: Path, columns: Sequence[str], float_columns: Sequence[str] | None
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield the rows; without `float_columns` a column can have any type."""
    import pyarrow.parquet as pq

    number = 0
    with pq.ParquetFile(path) as file:
        check_columns(RowPlace(str(path)), columns, file.schema_arrow.names)
        if float_columns is not None:
            for column in columns:
                _check_type(path, column, file.schema_arrow.field(column).type, column in float_columns)
        for batch in file.iter_batches(N_ROWS_AT_ONCE, columns=list(columns)):
            for values in zip(*(batch.column(column).to_pylist() for column in columns), strict=True):
                number += 1
                yield number, values


def _check_type(path: Path, column: str, kind: Any, can_be_float: bool) -> None:
    if can_be_float:
        kind = _items(kind)
    if not _is_readable(kind, can_be_float):
        wanted = "numbers" if can_be_float else "strings or integers"
        raise DataError(
            f"{path}: must have {wanted} in the column {column!r}, but got {kind}. "
            "Convert the column, or use another one."
        )


def _items(kind: Any) -> Any:
    """Return the type of the items of lists, and another type as it is."""
    import pyarrow.types as types

    return kind.value_type if types.is_list(kind) or types.is_large_list(kind) else kind


def _is_readable(kind: Any, can_be_float: bool) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(kind):
        kind = kind.value_type
    accepted = (types.is_string, types.is_large_string, types.is_string_view, types.is_integer, types.is_boolean)
    return any(accepts(kind) for accepts in accepted) or (can_be_float and types.is_floating(kind))
