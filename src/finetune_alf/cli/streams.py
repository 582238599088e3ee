"""Standard output and standard error that cannot be written, as on a full disk: named, or passed over."""

import io
import sys
from typing import Any, TextIO

from finetune_alf.errors import StorageError
from finetune_alf.os_errors import os_error_reason


def open_streams() -> None:
    """Replace both streams for the rest of the process.

    What cannot be written on standard output is a StorageError; on standard error, where nobody could read of it, it is
    dropped, and the work goes on. A terminal that cannot show a character shows another one.
    """
    sys.stdout = _over(sys.stdout, _Output)
    sys.stderr = _over(sys.stderr, _Messages)


class _Messages(io.FileIO):
    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


class _Output(io.FileIO):
    """Fails once, with a name; Python writes what is left when it ends, which then fails no more."""

    _has_failed = False

    def write(self, data: Any) -> int:
        if self._has_failed:
            return len(data)
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._has_failed = True
            raise StorageError(
                f"cannot write standard output: {os_error_reason(error)}. Free space on that disk, or send the output "
                "elsewhere, then run the same command again."
            ) from None


def _over(stream: TextIO, kind: type[io.FileIO]) -> TextIO:
    """Return a stream over the same file; the stream itself where it has none, as where it is closed."""
    try:
        raw = kind(stream.fileno(), "wb", closefd=False)
    except (AttributeError, OSError, ValueError):
        return stream
    stream.flush()
    by_line = bool(stream.line_buffering) or bool(getattr(stream, "write_through", False))  # as PYTHONUNBUFFERED asks
    return io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, errors="replace", line_buffering=by_line)
