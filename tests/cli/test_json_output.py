"""`--json`: every command has it or a reason not to, and prints one document, on failure too."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from finetune_alf.cli.entry import group
from finetune_alf.params.presets import find_source
from finetune_alf.rates import EMBEDDINGS
from finetune_alf.schedules.published import published

WITHOUT = {
    "ui": "runs until Ctrl-C, and its result is a page in the browser",
    "params schema": "prints a JSON document anyway",
    "schedules schema": "prints a JSON document anyway",
}
"""The commands without --json, and why."""


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield each command that does something, with its words."""
    if not isinstance(command, click.Group):
        yield " ".join(words), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, (*words, name))


COMMANDS = dict(leaves(group))
WITH_JSON = {words: command for words, command in COMMANDS.items() if words not in WITHOUT}

each = pytest.mark.parametrize("words", WITH_JSON)


def run(*words: str) -> Result:
    return CliRunner().invoke(group, words)


def document_of(told: Result) -> Any:
    """Return the one document of a command, whose error says its exit code."""
    document = json.loads(told.stdout)
    error = document.get("error") if isinstance(document, dict) else None
    assert (error is not None) == (told.exit_code not in (0, 5))
    if error is not None:
        assert error["exit_code"] == told.exit_code
        assert error["message"].splitlines()[0] in told.stderr
    return document


def test_every_command_takes_json_but_for_those_with_a_reason() -> None:
    found = {words for words, one in COMMANDS.items() if any("--json" in each.opts for each in one.params)}
    assert found == set(WITH_JSON)
    assert set(WITHOUT) <= set(COMMANDS)


@each
def test_a_word_that_is_no_option_is_one_document(words: str) -> None:
    told = run(*words.split(), "--json", "--nonsense")
    error = document_of(told)["error"]
    assert (error["kind"], error["option"], told.exit_code) == ("UsageError", "--nonsense", 2)


@each
def test_the_example_of_a_command_is_one_document_where_params_have_faults(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schedules and `init` do not read the parameters, and need files that are not here, or print what they find."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("params.yaml").write_text("samples: {}\nstudies: {minilm: {n_trials: 0}}\n")
    example = shlex.split((WITH_JSON[words].epilog or "").partition("finetune-alf ")[2])
    told = run(*[word for word in example if word not in ("--root", "mine", "--json")], "--json")
    document = document_of(told)
    if isinstance(document, dict) and document.get("error", {}).get("kind") == "ParamsError":
        for fault in document["error"].get("faults", []):
            assert {"file", "line", "column", "field", "message"} == set(fault)


def test_faults_of_parameters_have_file_line_and_field(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(find_source("default").text.replace("n_trials: 16", "n_trials: 0"))
    error = document_of(run("params", "check", "--json", "--root", str(tmp_path)))["error"]
    (fault,) = error["faults"]
    assert (fault["file"], fault["field"]) == (str(path), "studies.minilm.n_trials")
    assert path.read_text().splitlines()[fault["line"] - 1].strip().startswith("n_trials: 0")
    assert fault["message"].startswith("must be greater than")


def test_yaml_that_breaks_off_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("samples: {}\nstudies: [\n")
    (fault,) = document_of(run("plan", "--json", "--root", str(tmp_path)))["error"]["faults"]
    assert fault["line"] >= 2
    assert fault["message"].startswith("must be YAML")


def test_a_fault_of_merged_presets_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(find_source("default").text)
    over = tmp_path / "over.yaml"
    over.write_text("studies: {minilm: {n_trials: 0}}\n")
    error = document_of(run("params", "use", str(over), "--json", "--root", str(tmp_path)))["error"]
    assert [(fault["file"], fault["field"]) for fault in error["faults"]] == [(str(over), "studies.minilm.n_trials")]


def test_a_value_that_cannot_be_used_names_its_option() -> None:
    error = document_of(run("predict", "minilm", "reviews.csv", "--json", "--out", "o.csv", "--quoting", "odd"))[
        "error"
    ]
    assert (error["kind"], error["option"]) == ("UsageError", "--quoting")


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("init t.csv --budget soon", "--budget"),
        ("init t.csv --text no", "--text"),
        ("init t.csv --label no", "--label"),
        ("init t.csv --label text --text text", "--label"),
        ("init t.csv --label text --label label --text text", "--label"),
        ("init t.csv --labels {", "--labels"),
        ("init t.csv --labels 3", "--labels"),
        ("init t.csv --labels {no:1}", "--labels"),
        ("init t.csv --encoder no", "--encoder"),
        ("run --params no", "--params"),
        ("plan --params no", "--params"),
        ("params check --params no.yaml", "--params"),
        ("params diff --params no", "--params"),
        ("params use no", "presets"),
        ("prepare no", "name"),
        ("study no", "name"),
        ("anatomy no", "study"),
        ("anatomy --schedule no", "--schedule"),
        ("fit --study no", "--study"),
        ("errors minilm --model no", "--model"),
        ("errors no.one --model no", "--model"),
        ("predict no t.csv --out o.csv", "model"),
        ("predict minilm t.csv --out o.odd", "--out"),
        ("predict minilm t.csv --out no/o.csv", "--out"),
        ("schedules list --uri odd://", "--uri"),
        ("schedules pull distilbert-alf-1 --out t.csv", "--out"),
        ("schedules card distilbert-alf-1 --out t.csv", "--out"),
        ("init no.csv", "table"),
        ("init t.odd", "table"),
        ("predict minilm no.csv --out o.csv", "file"),
        ("predict minilm t.odd --out o.csv", "file"),
        ("plan no", "name"),
        ("freeze no", "name"),
        ("transfer no films", "study"),
        ("transfer minilm no", "sample"),
        ("fit no", "scheme"),
        ("fit no baseline", "study"),
        ("fit baseline --study no", "--study"),
        ("errors no", "study"),
        ("schedules show no", "ref"),
        ("schedules pull no.json --out a.json", "ref"),
        ("schedules stretch no --layers 2 --out a.json", "ref"),
        ("schedules card no", "ref"),
        ("schedules diff distilbert-alf-1 no", "other"),
        ("schedules push no a@b", "ref"),
        ("schedules push distilbert-alf-1 no", "name"),
    ],
)
def test_a_value_that_the_package_refuses_names_its_option(
    words: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = (f"some words about film {row},{'yn'[row % 2]}" for row in range(60))
    Path("t.csv").write_text("\n".join(["text,label", *rows]))
    if not words.startswith("init"):
        Path("params.yaml").write_text(find_source("default").text)
    told = run(*words.split(), "--json")
    assert told.exit_code in (3, 4)
    assert document_of(told)["error"]["option"] == option


def test_rows_on_standard_output_leave_no_room_for_a_document(tmp_path: Path) -> None:
    told = run("predict", "minilm", "reviews.csv", "--json", "--root", str(tmp_path))
    assert told.exit_code == 2
    assert document_of(told)["error"]["message"].startswith("--json needs --out")


ROWS = "text,label\n" + "good,yes\nbad,no\n" * 10
JSON_ROWS = '{"text": "a", "label": "yes"}\n{"text": "b", "label": "no"}\n' * 10

BAD_ROWS: dict[str, tuple[str, str | bytes, list[dict[str, Any]]]] = {
    "too many fields": ("t.csv", f"{ROWS}odd,yes,more\n", [{"line": 22}]),
    "no text": ("t.csv", f"{ROWS},yes\n", [{"line": 22, "field": "text"}]),
    "no label": ("t.csv", f"{ROWS}odd,\n", [{"line": 22, "field": "label"}]),
    "not UTF-8": ("t.csv", ROWS.encode() + b"odd \xff,yes\n", [{"line": 22}]),
    "UTF-16": ("t.csv", ROWS.encode("utf-16"), [{"line": 1}]),
    "an open quote": ("t.csv", f'{ROWS}"odd,yes\n', [{"line": 22}]),
    "no header": ("t.csv", ROWS.partition("\n")[2], [{"line": 1}]),
    "no such column": ("t.csv", ROWS.replace("label", "lable", 1), [{"field": "label"}]),
    "a column twice": ("t.csv", "text,label,label\na,b,c\n", [{"field": "label"}]),
    "a title": ("t.csv", f"Ours,,\n{ROWS}", [{"line": 1}]),
    "no JSON": ("t.jsonl", f'{JSON_ROWS}{{"text": "a",}}\n', [{"line": 21, "column": 14}]),
    "no JSON of a number": ("t.jsonl", f'{JSON_ROWS}{{"text": NaN}}\n', [{"line": 21}]),
    "no object": ("t.jsonl", f"{JSON_ROWS}[1]\n", [{"line": 21}]),
    "an object without the column": ("t.jsonl", '{"text": "a"}\n', [{"line": 1, "field": "label"}]),
    "no label of fastText": ("t.txt", "__label__yes a\n__label__no b\nodd\n", [{"line": 3}]),
    "several": ("t.csv", f"{ROWS}odd\n,yes\n", [{"line": 22}, {"line": 23, "field": "text"}]),
}
"""A file, and where its faults are."""


@pytest.mark.parametrize(("file", "content", "places"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_has_file_line_and_field(
    tmp_path: Path, file: str, content: str | bytes, places: list[dict[str, Any]]
) -> None:
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    settings = find_source("default").text.replace(
        "source: {kind: mini, domain: films}",
        f"source: {{kind: files, train: {file}, text: text, label: label}}",
    )
    (tmp_path / "params.yaml").write_text(settings)
    for words in (("prepare", "films"), ("params", "check")):
        error = document_of(run(*words, "--json", "--root", str(tmp_path)))["error"]
        assert all(fault.pop("message") in error["message"] for fault in error["faults"])
        assert error["faults"] == [{"file": str(tmp_path / file), **place} for place in places]


def test_a_row_of_parquet_has_its_number(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a", "b", ""], "label": ["yes", "no", "no"]}), tmp_path / "t.parquet")
    settings = find_source("default").text.replace(
        "source: {kind: mini, domain: films}", "source: {kind: files, train: t.parquet, text: text, label: label}"
    )
    (tmp_path / "params.yaml").write_text(settings)
    (fault,) = document_of(run("prepare", "films", "--json", "--root", str(tmp_path)))["error"]["faults"]
    assert fault == {
        "file": str(tmp_path / "t.parquet"),
        "row": 3,
        "field": "text",
        "message": "must have a text, but got an empty one",
    }


def test_a_bad_row_is_named_by_init_too(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text,label\n" + "good,yes\nbad,no\n" * 60 + "odd,yes,more,and more\n")
    error = document_of(run("init", str(tmp_path / "reviews.csv"), "--json", "--root", str(tmp_path)))["error"]
    assert [(fault["file"], fault["line"]) for fault in error["faults"]] == [(str(tmp_path / "reviews.csv"), 122)]


def test_a_file_of_the_system_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object, **named: object) -> None:
        raise OSError(28, "No space left on device", "/full/params.yaml")

    monkeypatch.setattr("finetune_alf.params.writing.write_text", full)
    error = document_of(run("params", "use", "default", "--json", "--root", str(tmp_path)))["error"]
    assert (error["file"], error["exit_code"]) == ("/full/params.yaml", 4)


def test_parameters_are_compared_and_changed(tmp_path: Path) -> None:
    root = ("--root", str(tmp_path))
    used = document_of(run("params", "use", "default", "--json", *root))
    assert used == {"path": str(tmp_path / "params.yaml"), "presets": ["default"]}
    found = document_of(run("params", "diff", "--params", "real-small", "--json", *root))
    assert {"field": "studies.minilm.recipe.batch", "before": 8, "after": 16} in found
    assert {"field": "samples.films.n_train", "before": 64} in found


def test_a_sample_is_prepared_and_its_card_printed(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(find_source("default").text)
    told = run("prepare", "films", "--json", "--root", str(tmp_path))
    (one,) = document_of(told)
    assert one["path"] == str(tmp_path / "data/samples/films/card.json")
    assert sum(one["document"]["counts"]["train"].values()) == 64
    assert "films: train 64" in told.stderr


def test_schedules_are_pulled_stretched_compared_and_described(tmp_path: Path) -> None:
    name, two = "distilbert-alf-1", published("distilbert-alf-2")
    file, twelve, card = (tmp_path / each for each in ("one.json", "twelve.yaml", "card.md"))
    assert document_of(run("schedules", "pull", name, "--out", str(file), "--json")) == {
        "path": str(file),
        "ref": name,
        "digest": published(name).digest,
    }
    stretched = document_of(run("schedules", "stretch", name, "--layers", "12", "--out", str(twelve), "--json"))
    assert stretched["digest"] == published(name).stretch(12).digest
    fields = document_of(run("schedules", "diff", str(file), "distilbert-alf-2", "--json"))["fields"]
    assert [each["second"] for each in fields if each["field"] == "rates.embeddings"] == [two.rates[EMBEDDINGS]]
    shown = document_of(run("schedules", "show", "distilbert-alf-2", "--json"))
    assert shown == json.loads(two.to_json())
    printed = document_of(run("schedules", "card", name, "--json", "--root", str(tmp_path)))
    written = document_of(run("schedules", "card", name, "--out", str(card), "--json", "--root", str(tmp_path)))
    assert (printed["path"], written["path"]) == (None, str(card))
    assert printed["card"] == written["card"] == card.read_text()


def test_a_schedule_that_is_there_already_is_an_error_in_one_document(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text("{}")
    told = run("schedules", "pull", "distilbert-alf-1", "--out", str(tmp_path / "one.json"), "--json")
    assert document_of(told)["error"]["kind"] == "InputError"


def test_a_schedule_is_pushed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    told = run("schedules", "push", "distilbert-alf-1", "alf-mine.distilbert@alf-1", "--json", "--root", str(root))
    expected = {"ref": "alf-mine.distilbert@alf-1", "version": 1, "digest": published("distilbert-alf-1").digest}
    assert document_of(told) == expected
