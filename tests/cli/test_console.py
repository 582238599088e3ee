"""Progress: a bar on a terminal, about ten plain lines anywhere else."""

import io
import os
import pty
from pathlib import Path

import click
import pytest

from finetune_alf.cli.console import TerminalConsole
from finetune_alf.cli.entry import group
from finetune_alf.cli.project import open_context
from finetune_alf.running.progress import TqdmBar


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_log_gets_about_ten_lines_and_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    console = TerminalConsole()
    with console.progress("study minilm", 45) as bar:
        for trial in range(45):
            bar.advance(f"best {trial / 100:.2f}")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[-1] == "study minilm: 45/45 best 0.44"
    assert "\r" not in "".join(lines)


def test_a_short_way_gets_a_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalConsole().progress("transfer", 2) as bar:
        bar.advance()
        bar.advance()
    assert capsys.readouterr().err == "transfer: 1/2\ntransfer: 2/2\n"


def test_a_terminal_gets_a_bar_with_the_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    console = TerminalConsole()
    with console.progress("study minilm", 3) as bar:
        bar.advance("best 0.71")
        console.log("one trial failed")
        bar.advance()
        bar.advance()
    assert "3/3" in terminal.getvalue()
    assert "best 0.71" in terminal.getvalue()
    assert capsys.readouterr().out == "one trial failed\n"


def test_a_terminal_that_says_it_has_no_columns_gets_a_bar_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()  # 0 columns, as under `script` and in some containers
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("COLUMNS", raising=False)
        with TerminalConsole().progress("study minilm", 3) as bar:
            bar.advance("best 0.71")
        shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "study minilm" in shown
    assert "/3" in shown


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "dumb")
    with TerminalConsole().progress("study", 1) as bar:
        bar.advance("best 0.5")
    assert terminal.getvalue() == "study: 1/1 best 0.5\n"


def test_the_log_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    TerminalConsole().log("done")
    assert capsys.readouterr() == ("done\n", "")


def test_a_line_of_a_log_says_how_long_the_rest_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 50.0, 100.0])
    monkeypatch.setattr("finetune_alf.cli.console.time.monotonic", lambda: next(clock))
    with TerminalConsole().progress("study", 4) as bar:
        bar.advance("best 0.5")
        bar.advance()
    assert capsys.readouterr().err == "study: 1/4 best 0.5, 2 min 30 s left\nstudy: 2/4, 1 min 40 s left\n"


def test_the_time_left_of_a_line_follows_from_the_steps_of_this_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 100.0])
    monkeypatch.setattr("finetune_alf.cli.console.time.monotonic", lambda: next(clock))
    with TerminalConsole().progress("study", 4) as bar:
        bar.advance(is_new=False)
        bar.advance(is_new=False)
        bar.advance()
    assert capsys.readouterr().err == "study: 1/4\nstudy: 2/4\nstudy: 3/4, 1 min 40 s left\n"


def test_the_time_left_of_a_bar_follows_from_the_steps_of_this_start() -> None:
    from tqdm import tqdm

    shown = io.StringIO()
    with tqdm(total=10, file=shown, mininterval=0) as plain:
        bar = TqdmBar(plain)
        for _ in range(6):
            bar.advance("best 0.5", is_new=False)
        assert (plain.n, plain.format_dict["rate"], plain.n - plain.format_dict["initial"]) == (6, None, 0)
        plain.start_t -= 100
        plain.last_print_t -= 100
        bar.advance()
        assert (plain.n, plain.n - plain.format_dict["initial"]) == (7, 1)
        assert 0.009 < plain.format_dict["rate"] <= 0.01  # one new step in a hundred seconds
    assert "7/10" in shown.getvalue()


def test_a_terminal_shows_a_line_before_anything_slow_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("finetune_alf.cli.output.sys.stderr", Terminal())
    monkeypatch.setattr("finetune_alf.cli.output.click.echo", lambda text, err=False: said.append(text))
    monkeypatch.setattr("finetune_alf.params.load.read_merged", lambda *given: pytest.fail(said[0]))
    with click.Context(group).scope(), pytest.raises(pytest.fail.Exception, match=r"reading .*params.yaml"):
        open_context(tmp_path)
