"""Numbered lines of a text file."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

from finetune_alf.data.faults import Faults, report
from finetune_alf.data.readers.stream import MAX_LINE_BYTES, N_SEEN, Source, TextStream
from finetune_alf.errors import DataError, RowError, RowPlace

_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


_OTHER = "Set `encoding` of the source, or pass `--encoding` to `predict`."

_DELIMITER_LINE = re.compile(r"\"?sep=.\"?\s*", re.IGNORECASE)
"""A first line by which Excel knows the delimiter."""


def numbered_lines(path: Source, encoding: str = "utf-8", faults: Faults | None = None) -> Iterator[tuple[int, str]]:
    """Yield each line's number, from 1, and its text with the line end, without a byte order mark.

    A line of another encoding, with a NUL byte or over MAX_LINE_BYTES goes to `faults`, or is a DataError without it.
    Lines of a file without line feeds end at carriage returns. A `.gz` file is unpacked. A first line `sep=;`, as Excel
    has it, is passed over.
    """
    for number, text in _numbered_lines(path, encoding, faults):
        if number > 1 or not _DELIMITER_LINE.fullmatch(text):
            yield number, text


def _numbered_lines(path: Source, encoding: str, faults: Faults | None) -> Iterator[tuple[int, str]]:
    with _opened(path) as file:
        start = file.peek(N_SEEN)[:N_SEEN]
        if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):  # also utf16, say
            yield from _wide_lines(path, file, encoding)
            return
        if start.startswith(_UTF_16_MARKS):
            problem = f"must be {encoding}, but begins as UTF-16 does"
            raise RowError(RowPlace(str(path), 1), problem, f"Set {_named('utf-16')}.")

        @cache
        def is_mostly_utf_8() -> bool:
            return isinstance(path, Path) and line_not_utf_8(path) is not None

        for number, line in enumerate(_raw_lines(file, b"\r" in start and b"\n" not in start), 1):
            try:
                whole = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                text = _decoded(whole, RowPlace(str(path), number), encoding, is_mostly_utf_8)
            except RowError as error:
                report(error, faults)
            else:
                yield number, text


def find_encoding(path: Source) -> str:
    """Return utf-8 where the whole file is UTF-8, utf-16 where it begins as such, and else cp1252 or latin-1.

    Any bytes are latin-1; cp1252 has the quotes and dashes of Windows in addition.
    """
    decoders = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8", "cp1252")}
    with _opened(path) as file:
        if file.peek(2)[:2] in _UTF_16_MARKS:
            return "utf-16"
        is_last = False
        while not is_last:
            chunk = file.read(N_SEEN)
            is_last = not chunk
            for name in list(decoders):
                try:
                    decoders[name].decode(chunk, final=is_last)
                except UnicodeDecodeError:
                    del decoders[name]
    return next(iter(decoders), "latin-1")


def line_not_utf_8(path: Source) -> int | None:
    """Return the first line that is not UTF-8 of a file that is by most of its lines beyond ASCII; None for others."""
    first, n_utf_8, n_others = None, 0, 0
    with _opened(path) as file:
        for number, line in enumerate(_raw_lines(file, end_at_returns=False), 1):
            try:
                line.decode()
                n_utf_8 += not line.isascii()
            except UnicodeDecodeError:
                first, n_others = first or number, n_others + 1
    return first if n_utf_8 > n_others else None


@contextmanager
def _opened(path: Source) -> Iterator[Any]:
    try:
        if isinstance(path, TextStream):
            with path.opened() as stream:
                yield stream
        elif path.suffix.lower() == ".gz":
            with gzip.GzipFile(path) as packed:
                yield packed
        else:
            with path.open("rb", buffering=N_SEEN) as plain:
                yield plain
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: must be a whole gzip file, but got: {error}. Write or copy it again.") from error


def _raw_lines(file: IO[bytes], end_at_returns: bool) -> Iterator[bytes]:
    if end_at_returns:
        rest = b""
        while part := file.read(N_SEEN):
            *lines, rest = (rest + part).split(b"\r")
            yield from (line + b"\n" for line in lines)
        if rest:
            yield rest + b"\n"
        return
    while line := file.readline(MAX_LINE_BYTES + 1):
        yield line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES + 1)  # the rest of a line that is refused


def _wide_lines(path: Source, file: IO[bytes], encoding: str) -> Iterator[tuple[int, str]]:
    try:
        with io.TextIOWrapper(file, encoding) as text:
            yield from enumerate(text, 1)
    except UnicodeError as error:
        raise DataError(f"{path}: must be {encoding}, but got: {error}. {_OTHER}") from None


def _decoded(line: bytes, place: RowPlace, encoding: str, is_mostly_utf_8: Callable[[], bool]) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise RowError(place, f"must have at most {MAX_LINE_BYTES} bytes, but has more", "Split the row.")
    if b"\0" in line:
        problem = f"must be text, but got a NUL byte at byte {line.index(0) + 1} of the line"
        raise RowError(place, problem, "Save the file as UTF-8 text.")
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as error:
        byte = line[error.start]
        name = "UTF-8" if encoding == "utf-8" else encoding
        guess = "cp1252" if any(0x80 <= one <= 0x9F for one in line) else "latin-1"
        way_out = f"Save the file as UTF-8, or set {_named(guess)}."
        if encoding == "utf-8" and is_mostly_utf_8():
            way_out = "Correct the line, since most others are UTF-8."
        problem = f"must be {name}, but got byte 0x{byte:02x} at byte {error.start + 1} of the line"
        raise RowError(place, problem, way_out) from None


def _named(encoding: str) -> str:
    """Return where an encoding is named."""
    return f"`encoding: {encoding}` of the source, or pass `--encoding {encoding}` to `predict`"
