"""TextStream: the bytes of a file or of standard input, counted as they are read."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from finetune_alf.data.readers.format import table_suffix
from finetune_alf.errors import DataError

N_SEEN = 2**16
"""So many bytes are looked at to see how a text is written."""

MAX_LINE_BYTES = 16 * 2**20
"""Longer lines are refused, to limit memory."""

_GZIP, _PARQUET, _BYTE_ORDER_MARK = b"\x1f\x8b", b"PAR1", b"\xef\xbb\xbf"


@dataclass
class TextStream:
    """A text that messages call by its name; `suffix` is its format, `n_bytes` its size where that is known.

    `start` opens what can be looked at before the text is read: all of a file, the first part of standard input, which
    can be read once.
    """

    name: str
    suffix: str
    whole: Callable[[], IO[bytes]]
    start: Callable[[], IO[bytes]]
    n_bytes: int | None = None
    n_read: int = 0

    @property
    def beginning(self) -> "TextStream":
        """The same text, as far as it can be looked at."""
        return TextStream(self.name, self.suffix, self.start, self.start)

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Open the text, unpacked where it is a gzip file."""
        self.n_read = 0
        with self.whole() as raw, io.BufferedReader(_Counted(raw, self), N_SEEN) as file:
            if file.peek(len(_GZIP)).startswith(_GZIP):
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield unpacked
            else:
                yield file

    def __str__(self) -> str:
        return self.name


Source = Path | TextStream
"""What text is read from."""


def beginning_of(source: Source) -> Source:
    """Return a source for a look at its first lines."""
    return source if isinstance(source, Path) else source.beginning


def file_stream(path: Path) -> TextStream:
    """Return the stream of a file, which is opened anew each time that it is read."""

    def opened() -> IO[bytes]:
        return path.open("rb", buffering=0)

    return TextStream(str(path), table_suffix(path), opened, opened, path.stat().st_size)


def standard_input(file: IO[bytes]) -> TextStream:
    """Return the stream of standard input: JSON Lines where it begins with an object, else delimited text.

    Raises DataError for Parquet, which cannot be read from its start on.
    """
    start = _first_part(file)
    if start.startswith(_PARQUET):
        raise DataError("cannot read Parquet from standard input: its schema stands at its end. Name the file instead.")
    unpacked = _unpacked(start)
    is_object = unpacked.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(b"{")
    suffix = ".jsonl" if is_object else ".csv"
    return TextStream("standard input", suffix, lambda: _joined(start, file), lambda: io.BytesIO(unpacked))


class _Counted(io.RawIOBase):
    """A file whose bytes are counted as they are read."""

    def __init__(self, file: IO[bytes], stream: TextStream) -> None:
        self._file, self._stream = file, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        got = self._file.read(len(buffer))
        buffer[: len(got)] = got
        self._stream.n_read += len(got)
        return len(got)


class _Joined(io.RawIOBase):
    """The first part of a file, then the rest of it; it is left open."""

    def __init__(self, start: bytes, file: IO[bytes]) -> None:
        self._start, self._file = io.BytesIO(start), file

    def read(self, size: int = -1) -> bytes:
        return self._start.read(size) or self._file.read(size)


def _joined(start: bytes, file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", _Joined(start, file))


def _first_part(file: IO[bytes]) -> bytes:
    """Read enough to look at, the first line whole, if it is not longer than any line may be."""
    start = file.read(N_SEEN)
    while b"\n" not in start and len(start) < MAX_LINE_BYTES and (more := file.read(N_SEEN)):
        start += more
    return start


def _unpacked(start: bytes) -> bytes:
    if not start.startswith(_GZIP):
        return start
    try:
        return zlib.decompressobj(wbits=31).decompress(start, MAX_LINE_BYTES)
    except zlib.error:
        return start
