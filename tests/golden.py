"""Golden files: a whole page kept beside its test. `UPDATE_GOLDEN=1 pytest FILE` writes them anew."""

import os
from pathlib import Path

from finetune_alf.report.part import Part


def page_of(part: Part) -> str:
    """Return a part of the report as one text: its lines of the summary, then its section."""
    return "\n\n".join([*part.in_short, part.section.markdown])


def golden(path: Path, text: str) -> str:
    """Return the text kept in a file, for `assert text == golden(path, text)`."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text + "\n", encoding="utf-8")
    return path.read_text("utf-8").removesuffix("\n")
