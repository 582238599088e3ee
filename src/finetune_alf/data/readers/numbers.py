"""Numbers as text files have them."""

import math


def number_of(text: str) -> float | None:
    """Return text as a finite number; None for other text, and for what only Python calls a number, such as 1_0."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None
