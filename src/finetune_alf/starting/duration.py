"""Times as people type them."""

import re

from finetune_alf.errors import InputError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(text: str) -> float:
    """Return a time such as 90s, 10m, 1.5h or 1d in seconds; InputError for other text."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip().lower())
    if not match or not float(match[1]):
        raise InputError(f"--budget: must be a time such as 10m or 1h, but got {text}.", option="--budget")
    return float(match[1]) * _UNITS[match[2]]
