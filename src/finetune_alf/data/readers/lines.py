"""Numbered lines of a UTF-8 file."""

from collections.abc import Iterator
from pathlib import Path

from finetune_alf.errors import DataError

MAX_LINE_BYTES = 16 * 2**20
"""Longer lines are refused, to limit memory."""


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line's number, from 1, and its text with the line end, without a byte order mark.

    Raises DataError, naming file and line, for invalid UTF-8, a NUL byte or a line over MAX_LINE_BYTES.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            yield number, _decoded(line, f"{path}:{number}")


def _decoded(line: bytes, location: str) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise DataError(f"{location}: must have at most {MAX_LINE_BYTES} bytes, but has more. Split the row.")
    if b"\0" in line:
        raise DataError(
            f"{location}: must be text, but got a NUL byte at byte {line.index(0) + 1} of the line. "
            "Save the file as UTF-8 text."
        )
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{location}: must be UTF-8, but got byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line. "
            "Save the file as UTF-8."
        ) from None
