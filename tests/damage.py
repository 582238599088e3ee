"""Damage to the bytes of a file, drawn under a seed."""

import random

N_DAMAGES, SEED = 200, 20261129


def damages(data: bytes) -> list[bytes]:
    """Return the content of a file with one bit flipped or its end cut off, half of them each."""
    rng = random.Random(SEED)
    found = []
    for n in range(N_DAMAGES):
        place = rng.randrange(len(data))
        flipped = bytes([data[place] ^ (1 << rng.randrange(8))])
        found.append(data[:place] + flipped + data[place + 1 :] if n % 2 else data[:place])
    return found
