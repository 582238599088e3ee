"""Long lines on a terminal: words and commands stay whole, and the last column of a table stays a column."""

import io

import pytest

from finetune_alf.cli.wrapping import for_stream, wrapped

ROW = "alf-1     confirmation  .500 [.328, .672]  .000 (equal throughout), too few seeds for a verdict"


def test_the_last_column_of_a_table_is_wrapped_below_itself() -> None:
    first, second = wrapped(ROW, 80).split("\n")
    assert first == "alf-1     confirmation  .500 [.328, .672]  .000 (equal throughout), too few"
    assert second == " " * 43 + "seeds for a verdict"


def test_a_last_column_without_room_stands_on_the_next_line() -> None:
    name, state = (
        f"    {'studies/' * 8}minilm.db",
        "6 of 6 trials, and many more words than fit on a line of this width",
    )
    first, *rest = wrapped(f"{name}  {state}", 80).split("\n")
    assert first == name
    assert rest == [f"        {state}"]


def test_a_sentence_is_wrapped_with_an_indent() -> None:
    line = "one two three four five six seven eight nine ten"
    assert wrapped(line, 34) == "one two three four five six seven\n  eight nine ten"


def test_a_command_stays_whole() -> None:
    line = "Each stage shows the time that it has left; `finetune-alf plan --root mine` predicts that of all."
    assert "`finetune-alf plan --root mine`" in wrapped(line, 50)


@pytest.mark.parametrize("line", ["", "short", "  class  source", "a" * 200])
def test_what_fits_or_has_no_room_is_left_alone(line: str) -> None:
    assert wrapped(line, 80) == line


def test_no_line_is_wrapped_where_it_is_no_terminal() -> None:
    assert for_stream(ROW * 3, io.StringIO()) == ROW * 3
