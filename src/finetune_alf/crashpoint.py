"""Named places at which a test can end the process at once, as a kill or a power failure would."""

import os
from collections import Counter

CRASH_AT = "ALF_CRASH_AT"
"""The variable that names a place and which passage of it: `ledger-line-after:2`. Nothing happens without it."""

_passages: Counter[str] = Counter()


def crashpoint(name: str) -> None:
    """End the process without any cleaning up, if the environment says so for this passage of this place."""
    crash_at = os.environ.get(CRASH_AT)
    if crash_at is None:
        return
    _passages[name] += 1
    if crash_at == f"{name}:{_passages[name]}":
        os._exit(137)  # 128 + SIGKILL
