"""One seed in, labelled child seeds out."""

import hashlib


def child_seed(seed: int, *labels: str | int) -> int:
    """Derive the seed, in [0, 2**31), that belongs to these labels.

    The same seed and labels give the same child on every machine, whatever the process's hash seed.
    """
    text = "\x1f".join([str(seed), *(str(label) for label in labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
