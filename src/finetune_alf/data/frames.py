"""Tables in memory as Parquet files, so that they are read, checked and identified as files are."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_alf.data.readers.columns import check_columns
from finetune_alf.data.rows import SOURCE_SPLITS
from finetune_alf.errors import DataError, RowPlace
from finetune_alf.files import write_bytes

if TYPE_CHECKING:
    import pyarrow as pa

OF_A_FRAME = "Name columns of the table: text=…, label=…"


def splits_of(data: object) -> dict[str, Any]:
    """Return the tables of `data` by source split: those of a DatasetDict or another mapping, or one, `train`.

    Raises DataError for other names of splits, or without training rows.
    """
    if not isinstance(data, Mapping):
        return {"train": data}
    others = [str(name) for name in data if name not in SOURCE_SPLITS]
    if "train" not in data or others:
        way_out = "Pass a dictionary with these names, or one table, as pandas.DataFrame(data) makes it."
        if "train" in data:
            way_out = f"Leave out {' and '.join(others)}: pass a dictionary of the others."
        raise DataError(
            f"splits: must be train and, if there are more, validation and test, but got {', '.join(map(str, data))}. "
            f"{way_out}"
        )
    return {name: data[name] for name in SOURCE_SPLITS if name in data}


def write_frame(path: Path, frame: object, columns: Sequence[str] = ()) -> int:
    """Write a table as Parquet, all of its columns or some, and return the number of its rows.

    It may be of pandas, polars, pyarrow or `datasets`; a class of `datasets` becomes its name. Equal tables give equal
    bytes. Raises DataError for another object, and for columns that are missing or have no type in Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = _arrow_table(frame)
        check_columns(RowPlace("the table"), columns, table.column_names, OF_A_FRAME)
        table = table.select(list(columns) or table.column_names).replace_schema_metadata(None).combine_chunks()
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
    except (pa.ArrowException, TypeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise DataError(
            f"cannot write {path}: {reason}. Give each column values of one type, or name the columns: {OF_A_FRAME}"
        ) from error
    write_bytes(path, bytes(sink.getvalue()))
    return int(table.num_rows)


def _arrow_table(frame: Any) -> "pa.Table":
    import pyarrow as pa

    if _is_a(frame, "pandas", "DataFrame"):
        return pa.Table.from_pandas(frame, preserve_index=False)
    if _is_a(frame, "datasets", "Dataset"):
        return _with_class_names(frame.with_format("arrow")[:], frame.features)
    way_out = next((way_out for module, name, way_out in _NO_TABLES if _is_a(frame, module, name)), None)
    if isinstance(frame, str | Path):
        way_out = "Of several files, read each first, as with pandas.read_csv."
    if way_out is None and hasattr(frame, "__arrow_c_stream__"):  # polars, pyarrow and whatever else speaks Arrow
        return _with_plain_strings(pa.table(frame))
    raise DataError(
        "data: must be a DataFrame of pandas or polars, a Dataset or DatasetDict of `datasets`, a pyarrow table or "
        f"the path of a file, but got {type(frame).__module__}.{type(frame).__qualname__}. "
        f"{way_out or 'Convert it, as with pandas.DataFrame(data).'}"
    )


_NO_TABLES = (
    ("polars", "LazyFrame", "Pass data.collect()."),
    ("datasets", "IterableDataset", "Read its rows first: datasets.Dataset.from_list(list(data))."),
    ("pandas", "Series", "Pass a table with the columns of text and label."),
    ("polars", "Series", "Pass a table with the columns of text and label."),
)
"""What is often taken for a table, by module and class, and what to do."""


def _is_a(frame: object, module: str, name: str) -> bool:
    """Say whether an object is of a library's class; one that was never imported has made none."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(frame, getattr(loaded, name, ()))


def _with_plain_strings(table: "pa.Table") -> "pa.Table":
    """Put strings in the place of categories, and of lists of them, as polars has them: Parquet cannot hold those."""
    import pyarrow as pa
    import pyarrow.types as types

    for index, (column, kind) in enumerate(zip(table.column_names, table.schema.types, strict=True)):
        is_list = types.is_list(kind) or types.is_large_list(kind)
        own = kind.value_type if is_list else kind
        if types.is_dictionary(own) and types.is_string_view(own.value_type):
            plain = pa.list_(pa.string()) if is_list else pa.string()
            table = table.set_column(index, column, pa.array(table.column(index).to_pylist(), plain))
    return table


def _with_class_names(table: "pa.Table", features: Mapping[str, Any]) -> "pa.Table":
    """Put the names of classes in the place of their numbers, also within lists; -1 stands for no label."""
    import pyarrow as pa

    for index, (column, feature) in enumerate(features.items()):
        item = getattr(feature, "feature", feature)
        names = getattr(item, "names", None)
        if names is not None:
            named = [_named(value, names) for value in table.column(column).to_pylist()]
            kind = pa.string() if item is feature else pa.list_(pa.string())
            table = table.set_column(index, column, pa.array(named, kind))
    return table


def _named(value: int | list[int] | None, names: Sequence[str]) -> str | list[str] | None:
    """Return the name of a class, or those of several; None where there is no label."""
    if isinstance(value, list):
        return [names[number] for number in value if number >= 0]
    return None if value is None or value < 0 else names[value]
