"""Progress: a bar on a terminal, about ten plain lines anywhere else."""

import io
import os
import pty
import threading
from pathlib import Path

import click
import pytest

from finetune_alf.cli.console import TerminalConsole
from finetune_alf.cli.entry import group
from finetune_alf.cli.output import console, echo_at_once, json_option, quiet_option
from finetune_alf.cli.project import open_context
from finetune_alf.running.progress import RowsBar, TqdmBar


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
    clock = iter([0.0, 0.0, 0.0, 100.0])
    monkeypatch.setattr("finetune_alf.cli.console.time.monotonic", lambda: next(clock))
    with TerminalConsole().progress("study", 4) as bar:
        bar.advance(is_new=False)
        bar.advance(is_new=False)
        bar.advance()
    assert capsys.readouterr().err == "study: 1/4\nstudy: 2/4\nstudy: 3/4, 1 min 40 s left\n"


def test_a_bar_shows_counts_time_left_epochs_and_the_note_in_its_columns() -> None:
    from tqdm import tqdm

    shown = io.StringIO()
    with tqdm(desc="study minilm", total=10, file=shown, ncols=80) as plain:
        bar = TqdmBar(plain, 10)
        for number in range(5):
            bar.advance("best 0.500", step=str(number), is_new=False)
        bar.refresh()
        assert last_frame(shown) == "study minilm:  50%|#####     | 5/10 in 00:00, best 0.500"
        bar.epoch("5", 1, 4, seconds=0.0)
        bar.refresh()
        assert last_frame(shown).endswith("1/4 epochs, best 0.500")
        assert (plain.n, bar.is_empty) == (5.25, False)
        bar.epoch("6", 2, 4, seconds=0.0)
        bar.refresh()
        assert last_frame(shown).endswith("left, best 0.500")  # no room for "2 fits go on"
        assert plain.n == 5.75
        bar.advance("best 0.750, the-key-of-a-fit-with-a-long-name/seed-3 0.750", step="5")
        bar.refresh()
        assert last_frame(shown).endswith("best 0.750")  # no room for the key
        assert plain.n == 6.5
    assert max(len(frame.rstrip()) for frame in shown.getvalue().split("\r")) <= 80


def last_frame(shown: io.StringIO) -> str:
    return shown.getvalue().split("\r")[-1].rstrip()


def test_a_bar_of_one_fit_shows_no_count() -> None:
    from tqdm import tqdm

    shown = io.StringIO()
    with tqdm(desc="fit minilm", total=1, file=shown, ncols=80) as plain:
        bar = TqdmBar(plain, 10)
        bar.epoch("baseline/seed-1", 1, 2, seconds=0.0)
        bar.refresh()
        assert last_frame(shown) == "fit minilm:  50%|#####     | 00:00, 1/2 epochs"
        bar.advance("{baseline}/seed-1 0.750", step="baseline/seed-1")
        bar.refresh()
        assert last_frame(shown) == "fit minilm: 100%|##########| 00:00, {baseline}/seed-1 0.750"


def test_a_bar_of_which_nothing_was_done_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with TerminalConsole().progress("importance minilm", 3):
        pass
    assert terminal.getvalue().split("\r")[-2].strip() == ""


def test_a_bar_shows_the_time_while_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = threading.Event()
    monkeypatch.setattr("finetune_alf.running.progress.SECONDS_BETWEEN", 0.01)
    monkeypatch.setattr("finetune_alf.running.progress.TqdmBar.refresh", lambda bar: drawn.set())
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with TerminalConsole().progress("study minilm", 3):
        drawn.clear()
        assert drawn.wait(timeout=60)


def test_the_epochs_of_a_log_print_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalConsole().progress("fit minilm", 1) as bar:
        bar.epoch("baseline/seed-1", 1, 4, seconds=20.0)
        bar.epoch("baseline/seed-1", 2, 4, seconds=20.0)
        bar.advance("baseline/seed-1 0.900", step="baseline/seed-1")
    assert capsys.readouterr().err == "fit minilm: 1/1 baseline/seed-1 0.900\n"


def test_a_terminal_shows_a_line_before_anything_slow_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("finetune_alf.cli.console.sys.stderr", Terminal())
    monkeypatch.setattr("finetune_alf.cli.console.click.echo", lambda text, err=False: said.append(text))
    monkeypatch.setattr("finetune_alf.params.load.read_merged", lambda *given: pytest.fail(said[0]))
    with click.Context(group).scope(), pytest.raises(pytest.fail.Exception, match=r"reading\s+.*params.yaml"):
        open_context(tmp_path)


@pytest.mark.parametrize(("option", "is_said"), [("", True), ("--json", False), ("--quiet", False)])
def test_what_takes_a_while_is_said_on_a_terminal_unless_it_is_not_wanted(
    option: str, is_said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    @json_option
    @quiet_option
    def command() -> None:
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        echo_at_once("loading")
        console().doing("counting")
        assert terminal.getvalue() == ("loading\ncounting\n" if is_said else "")

    command.main([option] if option else [], standalone_mode=False)


def test_what_takes_a_while_is_not_said_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    TerminalConsole().doing("counting")
    assert capsys.readouterr() == ("", "")


def test_the_bar_of_a_table_shows_rows_their_rate_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    from tqdm import tqdm

    clock = iter([0.0, 2.0, 8.0])
    monkeypatch.setattr("finetune_alf.running.progress.time.monotonic", lambda: next(clock))
    shown = io.StringIO()
    with tqdm(desc="predict", total=4096, file=shown, ncols=80) as plain:
        bar = RowsBar(plain)
        bar.show(1024, 3000)
        assert last_frame(shown) == "predict:  25%|##5       | 3,000 rows in 00:02, 1,500 rows/s, 00:06 left"
        bar.show(4096, 12000)
        assert last_frame(shown) == "predict: 100%|##########| 12,000 rows in 00:08, 1,500 rows/s"


def test_the_bar_of_a_table_of_unknown_length_shows_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    from tqdm import tqdm

    clock = iter([0.0, 2.0])
    monkeypatch.setattr("finetune_alf.running.progress.time.monotonic", lambda: next(clock))
    shown = io.StringIO()
    with tqdm(desc="predict", total=None, file=shown, ncols=80) as plain:
        RowsBar(plain).show(1024, 3000)
        assert last_frame(shown) == "predict: 3,000 rows in 00:02, 1,500 rows/s"


def test_a_note_that_has_no_room_is_left_out() -> None:
    from tqdm import tqdm

    shown = io.StringIO()
    with tqdm(desc="confirm minilm", total=10, file=shown, ncols=80) as plain:
        bar = TqdmBar(plain, 10)
        bar.advance(f"{'a-long-key-' * 5}/seed-3 0.750", step="0", is_new=False)
        bar.refresh()
        assert last_frame(shown) == "confirm minilm:  10%|#         | 1/10"


@pytest.mark.parametrize(
    "words",
    [
        "minilm no/such/folder/in.csv --out no/such/folder/labelled.csv",
        "minilm in.csv --encoding none-that-anybody-knows",
    ],
)
def test_errors_are_wrapped_on_a_terminal(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "50")
    with pytest.raises(SystemExit):
        group.main(["predict", *words.split()], prog_name="finetune-alf")
    lines = terminal.getvalue().splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 50, lines
