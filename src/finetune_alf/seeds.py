"""Child seeds, derived from one seed and labels, and how many seeds a verdict needs."""

import hashlib

MIN_SEEDS = 5
"""The fewest seeds for a verdict: fewer do not show their own spread.

Of families of three comparisons of equal schemes, simulated by `benchmarks/comparisons.py`, up to 9.8 % had a false
call with three seeds, and at most 6.5 % with five.
"""


def child_seed(seed: int, *labels: str | int) -> int:
    """Derive a seed in [0, 2**31) from a seed and labels.

    The result depends on neither the machine nor the process's hash seed.
    """
    text = "\x1f".join([str(seed), *(str(label) for label in labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
