"""Put the report in place: the page and its figures, whole or not at all."""

from collections.abc import Sequence
from pathlib import Path

from finetune_alf.errors import InputError
from finetune_alf.folders import replace_folder
from finetune_alf.paths import Paths
from finetune_alf.report.blocks import FIGURES
from finetune_alf.report.contents import Contents, read_contents
from finetune_alf.report.html.outline import outline
from finetune_alf.report.html.render import render
from finetune_alf.report.page import page
from finetune_alf.report.part import MakePart


def write_report(
    paths: Paths, title: str = "Adaptive layer freezing", parts: Sequence[MakePart] = (), server: str | None = None
) -> Path:
    """Read all results and write their report, as `write_contents` does."""
    return write_contents(paths, title, read_contents(paths, parts), server)


def write_contents(paths: Paths, title: str, contents: Contents, server: str | None = None) -> Path:
    """Write results/report/report.html, and report.md with its figures, and return the path of report.md.

    `server` is the address of MLflow's pages, where there is one: runs and versions are links to them.
    Raises InputError, and leaves an earlier report as it was, when no stage has run or a file of one is broken.
    """
    if not (contents.studies or contents.parts):
        raise InputError(
            f"{paths.results}: must hold what a stage has written, but got nothing. Run "
            f"`{paths.command('prepare')}`, `{paths.command('study')}` and the stages after it first, or all of them "
            f"with `{paths.command('run')}`."
        )
    whole = page(title, contents, server=server)
    with replace_folder(paths.report) as folder:
        (folder / FIGURES).mkdir()
        for name, png in whole.files().items():
            (folder / FIGURES / name).write_bytes(png)
        (folder / "report.md").write_text(whole.markdown + "\n", encoding="utf-8")
        (folder / "report.html").write_text(render(outline(title, contents, server)), encoding="utf-8")
    return paths.report / "report.md"
