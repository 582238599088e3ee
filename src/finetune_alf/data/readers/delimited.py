"""Delimited text, quoted as by the csv module or not at all; every row has as many fields as the header."""

import csv
import logging
from collections.abc import Iterator, Sequence

from finetune_alf.data.faults import Faults, report
from finetune_alf.data.readers.columns import OF_A_SOURCE, check_columns
from finetune_alf.data.readers.format import PLAIN, FileFormat
from finetune_alf.data.readers.lines import numbered_lines
from finetune_alf.data.readers.recognise import check_header, find_delimiter
from finetune_alf.data.readers.strays import Record, Strays
from finetune_alf.data.readers.stream import MAX_LINE_BYTES, Source, beginning_of
from finetune_alf.errors import DataError, RowError, RowPlace

logger = logging.getLogger(__name__)

WITHOUT_HEADER = "If the file has no header line, set `columns` of the source to the names of its columns, in order."

LONG_FIELD = 131_072
"""A field over several lines with more characters than this has a quote that is not closed."""

UNQUOTED = (
    "If the file is written without quoting, set `quoting: none` of the source, or pass `--quoting none` to `predict`."
)


def read_delimited(
    path: Source,
    columns: Sequence[str],
    delimiter: str,
    form: FileFormat = PLAIN,
    faults: Faults | None = None,
    labels: Sequence[str] | None = (),
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield the first line number of each row and its values, all strings; blank lines are skipped.

    A wrong number of fields, an invalid quote, and a quoted field that runs over rows go to `faults`, or are a
    DataError without it. `labels` are the columns whose values distinguish rows from lines of a text; where these
    cannot tell, a warning names lines that may be rows. None is for a first look, without this check.
    """
    own = find_delimiter(path, columns, form, delimiter)
    records = _records(path, own, form, faults)
    if form.columns is None:
        check_header(path, columns, labels, form, own)
        first = next(records, None)
        header = first.fields if first else []
    else:
        header = list(form.columns)
    check_columns(
        RowPlace(str(path)), columns, header, OF_A_SOURCE if form.columns else f"{OF_A_SOURCE} {WITHOUT_HEADER}"
    )
    indices = _indices(header, columns)
    strays = Strays(own, len(header), [header.index(label) for label in labels or ()])
    for record in records:
        where = RowPlace(str(path), record.line)
        if form.columns is not None and record.fields == header:
            report(RowError(where, "must be a row, but has the names of `columns`", "Leave `columns` out."), faults)
        elif len(record.fields) != len(header):
            source = "the header" if form.columns is None else "`columns`"
            problem = f"must have {len(header)} fields, as {source}, but got {len(record.fields)}"
            report(RowError(where, problem, "Quote fields that contain the delimiter."), faults)
        else:
            strays.add(record)
            yield record.line, tuple(record.fields[index] for index in indices)
    if labels is not None:
        _report_strays(path, strays, faults)


def _report_strays(path: Source, strays: Strays, faults: Faults | None) -> None:
    for joined in strays.joined():
        problem = f"a quoted field runs over lines {joined.line} to {joined.last}, each of which looks like a row"
        report(RowError(RowPlace(str(path), joined.line), problem, f"Close the quote. {UNQUOTED}"), faults)
    if (perhaps := strays.perhaps_joined()) is not None:
        logger.warning(
            f"{path}:{perhaps.line}: a quote joins lines {perhaps.line} to {perhaps.last}, each of which looks like a "
            f"row: {strays.n_lines} lines, {strays.n_rows} rows. {UNQUOTED}"
        )


def _indices(header: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Return where the columns are; where several have no name, each is taken once."""
    unnamed = iter([index for index, name in enumerate(header) if not name])
    return [header.index(column) if column else next(unnamed) for column in columns]


def header_of(path: Source, delimiter: str, form: FileFormat = PLAIN, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names in the first line; one of the `wanted` ones that stands there alone is no title."""
    first = next(_records(beginning_of(path), delimiter, form, None), None)
    header = first.fields if first else []
    check_columns(RowPlace(str(path)), [name for name in wanted if name in header], header)
    return tuple(header)


def _records(path: Source, delimiter: str, form: FileFormat, faults: Faults | None) -> Iterator[Record]:
    csv.field_size_limit(MAX_LINE_BYTES)
    raw: list[tuple[int, str]] = []

    def lines() -> Iterator[str]:
        for number, text in numbered_lines(path, form.encoding, faults):
            raw.append((number, text))
            yield text

    reader = csv.reader(lines(), delimiter=delimiter, strict=True, quoting=form.csv_quoting)
    while True:
        raw.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            report(_quote_error(path, [number for number, _ in raw], error), faults)
            continue
        first, last = raw[0][0], raw[-1][0]
        if last > first and max(map(len, fields), default=0) > LONG_FIELD:
            report(_unclosed(path, first, last), faults)
        elif fields:
            yield Record(fields, first, last, tuple(text for _, text in raw))


def _quote_error(path: Source, numbers: Sequence[int], error: csv.Error) -> DataError:
    first, last = (numbers[0], numbers[-1]) if numbers else (1, 1)
    if last > first and ("limit" in str(error) or "end of data" in str(error)):
        return _unclosed(path, first, last)
    if "new-line character" in str(error):
        problem = "must be delimited text, but has a carriage return within a field without quotes"
        way_out = "Put the field in quotes, or take the carriage return out."
        return RowError(RowPlace(str(path), first), problem, way_out)
    over = f" (lines {first} to {last})" if last > first else ""
    way_out = f"Close every quote, and double quotes inside a quoted field. {UNQUOTED}"
    return RowError(RowPlace(str(path), first), f"must be delimited text, but got: {error}{over}", way_out)


def _unclosed(path: Source, first: int, last: int) -> RowError:
    problem = f"must be delimited text, but the quote that opens in line {first} is not closed up to line {last}"
    return RowError(RowPlace(str(path), first), problem, f"Close the quote. {UNQUOTED}")
