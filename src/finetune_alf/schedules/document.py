"""Reading JSON that a stranger may have written: bounded, unambiguous, and with one error for all that can be wrong."""

import json
import math
from typing import Any

from finetune_alf.errors import ScheduleError

MAX_BYTES = 1 << 20
"""A schedule of 48 layers takes about 4 KiB; what is larger than this is something else."""

_MAX_DIGITS = 20


def read_document(content: str | bytes, where: str) -> tuple[str, dict[str, Any]]:
    """Return the text and its one JSON object.

    Raises ScheduleError, naming `where`, for more than 1 MiB, anything but UTF-8, keys given twice, NaN and infinities,
    integers beyond 20 digits, surrogates without their other half, and nesting beyond Python's own limit.
    """
    try:
        data = content if isinstance(content, bytes) else content.encode()
        if len(data) > MAX_BYTES:
            raise ValueError(f"{len(data)} bytes, more than {MAX_BYTES}")
        text = data.decode("utf-8-sig")
        document = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse, parse_int=_integer, parse_float=_number
        )
        json.dumps(document, ensure_ascii=False).encode()  # "\\ud800" parses, but is no text
    except (ValueError, RecursionError) as error:
        reason = "lists in lists without end" if isinstance(error, RecursionError) else str(error)[:200]
        raise ScheduleError(f"{where}: must be a schedule's JSON, but got {reason}. Pull or export it again.") from None
    if not isinstance(document, dict):
        raise ScheduleError(f"{where}: must be one JSON object, but got a {type(document).__name__}. Export it again.")
    return text, document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return found


def _refuse(token: str) -> float:
    raise ValueError(f"{token}, which is no JSON number")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]}, which is too large a number")
    return number
