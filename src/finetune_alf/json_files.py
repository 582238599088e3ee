"""JSON documents and files of JSON lines, with the checksums of `checksums.py`."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from finetune_alf.checksums import CHECKSUM, N_LINES, parse_checked, with_checksum
from finetune_alf.errors import InputError
from finetune_alf.files import read_bytes, write_text
from finetune_alf.os_errors import check_regular, named_errors
from finetune_alf.paths import way_out_of


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write one JSON document atomically, indented, with its checksum."""
    write_plain_json(path, with_checksum(document))


def write_plain_json(path: Path, value: object) -> None:
    """Write JSON atomically, indented, without a checksum: as other programs take it, such as DVC."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON document a line, atomically, each with its checksum; without any, a line that says so."""
    lines: list[str] = []
    last: Mapping[str, Any] | None = None
    for row in rows:
        if last is not None:
            lines.append(json_line(last))
        last = row
    lines.append(json_line({}, 0) if last is None else json_line(last, len(lines) + 1))
    write_text(path, "".join(f"{line}\n" for line in lines))


def append_jsonl(path: Path, row: Mapping[str, Any]) -> None:
    """Append one JSON document as a line; raises StorageError, naming the path, when the system refuses."""
    check_regular(path)
    with named_errors("write", path), path.open("a", encoding="utf-8") as file:
        file.write(f"{json_line(row)}\n")


def json_line(row: Mapping[str, Any], n_lines: int | None = None) -> str:
    """Return a JSON document with its checksum as one line; the last one of a file has the number of lines."""
    return json.dumps(with_checksum(row, n_lines), allow_nan=False, ensure_ascii=False)


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON document; raises InputError, naming the file and the way out, when it is missing or damaged."""
    try:
        return parse_checked(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path}: must be JSON as it was written, but got {error}. {way_out_of(path)}") from None


def read_jsonl(path: Path, *, is_whole: bool = True) -> list[dict[str, Any]]:
    """Read one JSON document a line; raises InputError, naming file, line and way out, when it is missing or damaged.

    Lines that are missing at the end are damage too, unless the file need not be whole, as while its stage goes on.
    """
    lines, rows = lines_of(read_bytes(path)), []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(parse_checked(line))
        except ValueError as error:
            raise InputError(
                f"{path}:{number}: must be JSON as it was written, but got {error}. {way_out_of(path)}"
            ) from None
    if rows == [{N_LINES: 0}]:
        return []
    n_lines = [row.pop(N_LINES, None) for row in rows]
    has_end = bool(rows) and (n_lines[-1] == len(rows) or f'"{CHECKSUM}"'.encode() not in lines[-1])
    if is_whole and not has_end:
        raise InputError(f"{path}: must have all its lines, but ends after {len(rows)}. {way_out_of(path)}")
    return rows


def lines_of(data: bytes) -> list[bytes]:
    """Return the lines of a JSONL file; `splitlines` would also split at U+2028 and others, which JSON leaves as is."""
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]
