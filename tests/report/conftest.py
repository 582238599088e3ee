"""A report written once, for the tests that read it."""

from pathlib import Path

import pytest
from report_tree import write_everything

from finetune_alf.report.write import write_report


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report on everything."""
    return write_report(write_everything(tmp_path_factory.mktemp("project")), "Six trials | on films")


@pytest.fixture(scope="session")
def text(page: Path) -> str:
    """Return the report's Markdown."""
    return page.read_text("utf-8")
