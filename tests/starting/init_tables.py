"""A table of reviews, and the command line that makes a project of it."""

import csv
import random
from pathlib import Path

from click.testing import CliRunner, Result

from finetune_alf.cli.entry import group
from tiny import BAD, GOOD


def reviews(n: int = 120) -> list[dict[str, str]]:
    draw = random.Random(0)
    return [
        {
            "id": f"{row}",
            "Révision": f"{draw.choice(BAD if row % 2 else GOOD)} {row}",
            "verdict": ("höflich", "no: bad")[row % 2],
        }
        for row in range(n)
    ]


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def init(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, ["init", *words, "--root", str(root)])
