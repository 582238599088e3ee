"""Parse JSON from an untrusted source: limited in size, without ambiguities, and with one type of error."""

import json
import math
from typing import Any

from finetune_alf.errors import ScheduleError

MAX_BYTES = 1 << 20
"""A schedule of 48 layers takes about 4 KiB; anything larger than this is not a schedule."""

_MAX_DIGITS = 20


def parse_document(content: str | bytes, where: str) -> dict[str, Any]:
    """Return the JSON object in a text.

    Raises ScheduleError, which names `where`, for more than 1 MiB, invalid UTF-8, duplicate keys, NaN and infinities,
    integers of more than 20 digits, lone surrogates, and nesting beyond Python's recursion limit.
    """
    try:
        data = content if isinstance(content, bytes) else content.encode()
        if len(data) > MAX_BYTES:
            raise ValueError(f"{len(data)} bytes, more than {MAX_BYTES}")
        text = data.decode("utf-8-sig")
        document = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_int=_short_integer,
            parse_float=_finite_number,
        )
        json.dumps(document, ensure_ascii=False).encode()  # "\\ud800" parses, but cannot be encoded
    except (ValueError, RecursionError) as error:
        reason = "too deeply nested JSON" if isinstance(error, RecursionError) else str(error)[:200]
        raise ScheduleError(f"{where}: must be a schedule's JSON, but got {reason}. Pull or export it again.") from None
    if not isinstance(document, dict):
        raise ScheduleError(f"{where}: must be one JSON object, but got a {type(document).__name__}. Export it again.")
    return document


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return found


def _refuse_constant(token: str) -> float:
    raise ValueError(f"{token}, which is not a JSON number")


def _short_integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _finite_number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]}, which is too large a number")
    return number
