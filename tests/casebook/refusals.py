"""What every refused command has in common."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from finetune_alf.cli.entry import group


def refusal(root: Path, *words: str, code: int = 3) -> str:
    """Run a command that must be refused, and return what it said.

    It ends with this exit code, without a traceback, and writes nothing but locks.
    """
    before = _files(root)
    told = CliRunner().invoke(group, [*words, "--root", str(root)])
    assert (told.exit_code, told.stdout) == (code, ""), told.output
    assert isinstance(told.exception, SystemExit)
    assert "Traceback" not in told.stderr
    assert _files(root) == before
    return told.stderr.replace(f"{root}/", "")


def refusal_in_json(root: Path, *words: str, code: int = 3) -> str:
    """Run a command that must be refused with --json, and return the message of its one document."""
    return str(refused_in_json(root, *words, code=code)["message"]).replace(f"{root}/", "")


def refused_in_json(root: Path, *words: str, code: int = 3) -> dict[str, Any]:
    """Run a command that must be refused with --json, and return the error of its one document."""
    told = CliRunner().invoke(group, [*words, "--json", "--root", str(root)])
    error: dict[str, Any] = json.loads(told.stdout)["error"]
    assert (told.exit_code, error["exit_code"]) == (code, code)
    return error


def _files(root: Path) -> dict[Path, bytes | None]:
    paths = (path for path in root.rglob("*") if path.suffix != ".lock" and path != root / "studies")
    return {path: path.read_bytes() if path.is_file() else None for path in paths}
