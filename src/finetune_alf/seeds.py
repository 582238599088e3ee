"""Child seeds, derived from one seed and labels."""

import hashlib


def child_seed(seed: int, *labels: str | int) -> int:
    """Derive a seed in [0, 2**31) from a seed and labels.

    The result depends on neither the machine nor the process's hash seed.
    """
    text = "\x1f".join([str(seed), *(str(label) for label in labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
