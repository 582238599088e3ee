"""The page of kept results: what long runs have found, kept in the repository beside the commands that made them."""

from collections.abc import Sequence
from pathlib import Path

from finetune_alf.documents import Document
from finetune_alf.files import write_bytes, write_text
from finetune_alf.paths import Paths
from finetune_alf.report.blocks import FIGURES
from finetune_alf.report.contents import read_contents
from finetune_alf.report.numbers import duration
from finetune_alf.report.page import page
from finetune_alf.report.part import MakePart
from finetune_alf.report.section import Section, code

RUNS = "runs.jsonl"
"""In the folder of kept results: how they were made, a line for each command."""


class KeptRun(Document):
    """A command that made kept results: its wall time in seconds, its date, and the machine in words."""

    command: str
    wall_s: float
    date: str
    machine: str


def write_kept(root: Path, folder: str, parts: Sequence[MakePart]) -> Path:
    """Write the page of the results in a folder below the root, beside that folder, and return the page's path.

    Raises InputError for a broken file; the page is then as it was.
    """
    made = kept_page(root, folder, parts)
    path = (root / folder).with_suffix(".md")
    for name, png in made.files().items():
        write_bytes(path.parent / FIGURES / name, png)
    write_text(path, made.markdown + "\n")
    return path


def kept_page(root: Path, folder: str, parts: Sequence[MakePart]) -> Section:
    """Return the page of the results in a folder: commands first, then the page as a report has it."""
    paths = Paths(root, folder)
    section = page("Results", read_contents(paths, parts), folder=folder)
    section.blocks[2:2] = how_made(paths.results / RUNS).blocks
    return section


def how_made(path: Path) -> Section:
    """Return the commands that made kept results, as a table."""
    section = Section()
    section.heading(2, "How they were made")
    section.table(
        ("command", "wall time", "date", "machine"),
        [(code(run.command), duration(run.wall_s), run.date, run.machine) for run in KeptRun.read_lines(path)],
    )
    return section
