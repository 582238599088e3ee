"""What an experiment beside the studies adds to the page, and how its documents are read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from finetune_alf.files import read_json
from finetune_alf.report.load import checked
from finetune_alf.report.records import Record
from finetune_alf.report.section import Section

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Part:
    """A part of the page: its lines for the summary at the top, and all of it."""

    in_short: tuple[str, ...]
    section: Section


def documents(folder: Path, kind: type[R]) -> Iterator[R]:
    """Yield the documents of a stage's folder by name; InputError names a broken file."""
    for path in sorted(folder.glob("[!.]*.json")):
        yield checked(read_json(path), kind, str(path))
