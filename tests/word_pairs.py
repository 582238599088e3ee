"""Pairs of short texts, with a class and a score, for samples out of a file."""

import csv
import random
from pathlib import Path

ROWS = 240


def write_word_pairs(path: Path) -> Path:
    """Write a table with the columns a, b, kind and score."""
    draw = random.Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("a", "b", "kind", "score"))
        for number in range(ROWS):
            a, b = (" ".join(draw.choices(["alpha", "beta", "gamma"], k=draw.randint(4, 12))) for _ in "ab")
            writer.writerow((f"{a} {number}", b, "yes" if number % 2 else "no", number / 10))
    return path
