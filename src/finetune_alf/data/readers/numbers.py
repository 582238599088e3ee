"""Numbers as text files have them."""

import math
import re
from typing import Literal

DecimalMark = Literal[".", ","]

_WITH_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


def number_of(text: str) -> float | None:
    """Return text as a finite number; None for other text, and for what only Python calls a number, such as 1_0."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def with_decimal_point(text: str) -> str | None:
    """Return a number with a decimal comma, such as 3,5, with a point; None for other text."""
    return text.replace(",", ".") if _WITH_COMMA.fullmatch(text) else None


def may_be_thousands(text: str) -> bool:
    """Return whether a number with a comma may be a whole one, such as 1,250."""
    return _THOUSANDS.fullmatch(text) is not None
