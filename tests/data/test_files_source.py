"""The user's own files: paths, columns, labels, and every fault by file and line."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from finetune_alf.data.duplicates import drop_duplicates
from finetune_alf.data.files_source import FileRows, source_paths
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.rows import SourceRows, check_labels
from finetune_alf.data.source_spec import FilesSource, text_columns_of
from finetune_alf.data.spec import SampleSpec
from finetune_alf.data.text_columns import TextColumns, columns_of
from finetune_alf.errors import DataError


def read(folder: Path, text: TextColumns = "text", label: str = "label", **contents: str) -> SourceRows:
    names = {}
    for split, content in contents.items():
        extension = "jsonl" if content.startswith("{") else "csv"
        names[split] = f"{split}.{extension}"
        (folder / names[split]).write_text(content)
    rows = FileRows(FilesSource(text=text, label=label, **names), folder).rows()
    check_labels(rows)
    return rows


def test_environment_variables_expand_in_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEWS", "/there")
    spec = FilesSource(train="${REVIEWS}/a.csv", test="b.csv", text="${REVIEWS}", label="label")
    assert source_paths(spec, tmp_path) == {"train": Path("/there/a.csv"), "test": tmp_path / "b.csv"}
    assert spec.text == "${REVIEWS}"


@pytest.mark.parametrize("value", [None, ""])
def test_an_unset_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("REVIEWS", raising=False)
    if value is not None:
        monkeypatch.setenv("REVIEWS", value)
    with pytest.raises(DataError, match=r"\$\{REVIEWS\}/a\.csv: the environment variable REVIEWS must be set"):
        source_paths(FilesSource(train="${REVIEWS}/a.csv", text="text", label="label"), tmp_path)


def test_two_text_columns_give_pairs(tmp_path: Path) -> None:
    rows = read(tmp_path, text=("first", "second"), train="first,second,label\na,b,1\nc,d,0\n")
    assert list(rows.splits["train"].texts) == [("a", "b"), ("c", "d")]


def test_integer_labels_are_ordered_as_numbers(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"text": f"t{label}", "label": label}) + "\n" for label in (10, 9, -1))
    assert read(tmp_path, train=lines).label_names == ("-1", "9", "10")


def test_booleans_are_labels(tmp_path: Path) -> None:
    lines = '{"text": "a", "label": true}\n{"text": "b", "label": false}\n'
    assert read(tmp_path, train=lines).label_names == ("false", "true")


def test_the_revision_is_the_digest_of_each_file(tmp_path: Path) -> None:
    before = read(tmp_path, train="text,label\na,1\nb,0\n", test="text,label\nc,1\nd,0\n").revision
    after = read(tmp_path, train="text,label\na,1\nb,0\n", test="text,label\nc,1\ne,0\n").revision
    assert before.split()[0] == after.split()[0]
    assert before.split()[1] != after.split()[1]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"train": "text,label\na,1\nb,1\n"}, r"train\.csv: must have at least two classes, but got only '1'"),
        ({"train": "text,label\n"}, r"train\.csv: must have rows"),
        ({"train": "text,label\na,1\nb,\n"}, r"train\.csv:3: the label must be .* but got ''"),
        ({"train": '{"text": "a", "label": 0.5}'}, r"train\.jsonl:1: the label must be .* but got 0\.5"),
        ({"train": '{"text": null, "label": 1}'}, r"train\.jsonl:1: the text must be a string, but got None"),
        ({"train": '{"text": 5, "label": 1}'}, r"train\.jsonl:1: the text must be a string, but got 5"),
        ({"train": '{"text": "\\ud800", "label": 1}'}, r"train\.jsonl:1: the text must be Unicode"),
        (
            {"train": "text,label\na,1\nb,0\n", "test": "text,label\nc,1\nd,pos\n"},
            r"test\.csv:3: must have a label of .*train\.csv \('0', '1'\), but got 'pos'",
        ),
        (
            {"train": "text,label\na,1\nb,0\n", "validation": "text,label\nc,1\n"},
            r"validation\.csv: must have the labels of .*train\.csv, but no row has the label '0'",
        ),
        (
            {"train": "text,label\na,1\nb,0\n", "test": "text,label\na,1\nb,0\n"},
            r"test\.csv: must differ from .*train\.csv, but test and train have equal bytes",
        ),
    ],
)
def test_invalid_rows_are_refused_by_file_and_line(tmp_path: Path, contents: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, **contents)


@pytest.mark.parametrize("text", ["", "   ", " "])
def test_an_empty_text_is_refused_by_file_and_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"train\.csv:3: must have a text, but got an empty one"):
        read(tmp_path, train=f"text,label\na,1\n{text},0\n")


def test_a_pair_with_one_empty_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.csv:3: must have a text, but got an empty one"):
        read(tmp_path, text=("first", "second"), train="first,second,label\na,b,1\nc,,0\n")


def test_duplicates_over_all_splits_are_dropped_and_the_first_is_kept(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        train="text,label\nsame  words,1\nb,0\n same words ,0\n",
        validation="text,label\nb,0\nc,1\n",
        test="text,label\nc,1\nsame words,0\nSame words,1\n",
    )
    unique = drop_duplicates(rows)
    assert unique.kept == {"train": [0, 1], "validation": [1], "test": [2]}
    assert unique.n_dropped == {"train": 1, "validation": 1, "test": 2}


JOINED = {"join": ["title", "body", "more"], "by": " | "}
PARTS = "title,body,more,label\n{},b,c,1\nd,,f,0\n,,i,1\n"


def joined_spec(tmp_path: Path, content: str, **changes: object) -> FilesSource:
    (tmp_path / "train.csv").write_text(content)
    given = {"train": "train.csv", "text": JOINED, "label": "label", **changes}
    return FilesSource.model_validate_json(json.dumps(given))


def test_several_columns_are_joined_to_one_text_and_empty_ones_left_out(tmp_path: Path) -> None:
    rows = FileRows(joined_spec(tmp_path, PARTS.format("a")), tmp_path).rows()
    assert list(rows.splits["train"].texts) == ["a | b | c", "d | f", "i"]
    assert columns_of(joined_spec(tmp_path, PARTS).text) == ("title", "body", "more")


def test_a_row_without_any_of_the_parts_is_empty(tmp_path: Path) -> None:
    spec = joined_spec(tmp_path, PARTS.format("a") + " ,,,1\n")
    with pytest.raises(DataError, match=r"train\.csv:5: must have a text, but got an empty one"):
        FileRows(spec, tmp_path).rows()
    dropped = FileRows(spec, tmp_path, on_empty="drop").rows().splits["train"]
    assert (len(dropped.texts), dropped.n_empty) == (3, 1)


def test_nulls_of_json_lines_are_left_out_and_numbers_refused(tmp_path: Path) -> None:
    objects = [
        {"title": None, "body": "b", "more": None, "label": 1},
        {"title": "a", "body": 3, "more": "c", "label": 0},
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in objects))
    spec = joined_spec(tmp_path, PARTS, train="train.jsonl")
    with pytest.raises(DataError, match=r"train\.jsonl:2: the text must be a string, but got 3"):
        FileRows(spec, tmp_path).rows()
    (tmp_path / "train.jsonl").write_text(json.dumps(objects[0]) + "\n")
    assert list(FileRows(spec, tmp_path).rows().splits["train"].texts) == ["b"]


def test_a_sample_of_joined_columns_has_the_digest_of_their_texts_and_names_them_on_its_card(tmp_path: Path) -> None:
    parts = [(f"title {n}", "" if n % 3 else f"body {n}", f"more {n}", n % 2) for n in range(60)]
    lines = "".join(f"{one},{two},{three},{label}\n" for one, two, three, label in parts)
    whole = "".join(f"{' | '.join(part for part in row[:3] if part)},{row[3]}\n" for row in parts)
    (tmp_path / "whole.csv").write_text(f"text,label\n{whole}")
    sizes = {"n_train": 8, "n_validation": 4, "n_confirmation": 4, "n_test": 4, "max_train_frac": 1.0}
    specs = [
        joined_spec(tmp_path, f"title,body,more,label\n{lines}"),
        FilesSource(train="whole.csv", text="text", label="label"),
    ]
    cards = [prepare_sample("joined", SampleSpec(source=spec, **sizes), tmp_path / "out", tmp_path) for spec in specs]
    assert cards[0].digest == cards[1].digest
    assert cards[0].source["text"] == JOINED
    assert [text_columns_of(card.source) for card in cards] == [specs[0].text, "text"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"join": ["title", "title"]}, "source.text: must name different columns"),
        ({"join": ["title", "label"]}, "source.label: must be another column than the text"),
        ({"join": ["title"]}, "at least 2"),
    ],
)
def test_joined_columns_differ_from_each_other_and_from_the_label(
    tmp_path: Path, text: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        SampleSpec(
            source=joined_spec(tmp_path, PARTS, text=text), n_train=1, n_validation=1, n_confirmation=1, n_test=1
        )


def test_the_columns_of_every_kind_of_source_are_found_on_its_card() -> None:
    assert text_columns_of({"kind": "mini", "domain": "films"}) == "text"
    assert text_columns_of({"kind": "glue", "task": "rte", "text": None}) == ("sentence1", "sentence2")
    assert text_columns_of({"kind": "glue", "task": "sst2", "text": "review"}) == "review"
    assert text_columns_of({"kind": "hub", "text": ["a", "b"]}) == ("a", "b")
    assert text_columns_of({}) is None
