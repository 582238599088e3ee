"""Table files: exact reading, and refusals by file and line."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf.data.readers.lines import MAX_LINE_BYTES
from finetune_alf.data.readers.table import read_table
from finetune_alf.errors import DataError

COLUMNS = ("text", "label")


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def values(path: Path, columns: tuple[str, ...] = COLUMNS) -> list[tuple[object, ...]]:
    return [row for _, row in read_table(path, columns)]


def refusal(path: Path) -> str | None:
    try:
        values(path)
    except DataError as error:
        return str(error)
    return None


@pytest.mark.parametrize("word", ["null", "nan", "NA", "None", "", "1", "true", "1e5"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_no_text_becomes_a_missing_value(tmp_path: Path, name: str, word: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"text": [word], "label": ["x"]}), path)
    elif name.endswith("jsonl"):
        path.write_text(json.dumps({"text": word, "label": "x"}))
    else:
        between = "\t" if name.endswith("tsv") else ","
        path.write_text(f"text{between}label\n{word}{between}x\n")
    assert values(path) == [(word, "x")]


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    assert values(written(tmp_path, "a.csv", b"\xef\xbb\xbftext,label\r\ngood,1\r\nbad,0\r\n")) == [
        ("good", "1"),
        ("bad", "0"),
    ]
    assert values(written(tmp_path, "a.jsonl", b'\xef\xbb\xbf{"text": "good", "label": 1}\r\n')) == [("good", 1)]


def test_other_columns_are_ignored(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id,label,product,text\n7,1,cup,fine\n")
    assert values(path) == [("fine", "1")]


def test_a_row_of_several_lines_has_the_number_of_the_first(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'text,label\n"one\ntwo, ""three""",1\n\nlast,0\n')
    assert list(read_table(path, COLUMNS)) == [(2, ('one\ntwo, "three"', "1")), (5, ("last", "0"))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,label\na,1\nb\n", r"a\.csv:3: must have 2 fields, as the header, but got 1"),
        (b"text,label\na,1\nb,c,0\n", r"a\.csv:3: must have 2 fields, as the header, but got 3"),
        (b"text,label\na,1\n\xffb,0\n", r"a\.csv:3: must be UTF-8, but got byte 0xff at byte 1"),
        (b"text,label\na,1\nb\0,0\n", r"a\.csv:3: must be text, but got a NUL byte at byte 2"),
        (b'text,label\na,1\n"b" c,0\n', r"a\.csv:3: must be delimited text"),
        (b'text,label\na,1\n"b,0\nc,1\n', r"a\.csv:3: must be delimited text"),
        (b"text,label,text\na,1,b\n", r"a\.csv: must have unique column names, but got 'text', 'label', 'text'"),
        (b"words,label\na,1\n", r"a\.csv: must have the column 'text', but got 'words', 'label'"),
        (b"", r"a\.csv: must have the column 'text', 'label', but is empty"),
        ("text,label\nä,1\n".encode("utf-16"), r"a\.csv:1: must be"),
    ],
)
def test_an_invalid_csv_is_refused_by_file_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        values(written(tmp_path, "a.csv", content))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a", "label": 1,}', r"a\.jsonl:2:\d+: must be JSON"),
        ('{"text": "a"', r"a\.jsonl:2:\d+: must be JSON"),
        ('["a", 1]', r"a\.jsonl:2: must be a JSON object"),
        ('{"text": "a", "text": "b", "label": 1}', r"a\.jsonl:2: must be JSON, but got: a duplicate key"),
        ('{"text": "a", "label": NaN}', r"a\.jsonl:2: must be JSON, but got: NaN"),
        ('{"text": "a", "label": ' + "9" * 5000 + "}", r"a\.jsonl:2: must be JSON"),
        ("[" * 200_000, r"a\.jsonl:2: must be JSON"),
    ],
)
def test_an_invalid_json_line_is_refused_by_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        values(written(tmp_path, "a.jsonl", '{"text": "fine", "label": 1}\n' + line + "\n"))


def test_a_key_that_a_later_object_lacks_has_no_value(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "other": 2}\n')
    assert values(path) == [("a", 1), ("b", None)]
    path.write_text('{"text": "a"}\n{"text": "b", "label": 1}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:1: must have the column 'label', but got 'text'"):
        values(path)


def test_an_overlong_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:1: must have at most"):
        values(written(tmp_path, "a.jsonl", b"x" * (MAX_LINE_BYTES + 1)))


def test_a_truncated_parquet_file_is_refused_at_every_length(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["good", "bad"] * 50, "label": [1, 0] * 50}), tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for length in [0, 3, 4, 12, len(whole) // 2, len(whole) - 5, len(whole) - 1]:
        with pytest.raises(DataError, match=r"cut\.parquet: must be a whole Parquet file"):
            values(written(tmp_path, "cut.parquet", whole[:length]))


@given(st.data())
def test_a_damaged_parquet_file_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    pq.write_table(pa.table({"text": ["good", "bad"] * 20, "label": ["x", "y"] * 20}), folder / "a.parquet")
    content = bytearray((folder / "a.parquet").read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    assert "a.parquet" in (refusal(written(folder, "a.parquet", bytes(content))) or "a.parquet")


def test_parquet_columns_of_another_type_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "label": [0.5]}), tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"a\.parquet: must have strings or integers in the column 'label', but got double"
    ):
        values(tmp_path / "a.parquet")


def test_parquet_dictionaries_and_large_strings_are_strings(tmp_path: Path) -> None:
    table = pa.table(
        {"text": pa.array(["a", "b"], pa.large_string()), "label": pa.array(["x", "y"]).dictionary_encode()}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert values(tmp_path / "a.parquet") == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize("name", ["a.pkl", "a.parquet.gz", "a.zip", "a.py", "a.xlsx", "a"])
def test_other_formats_are_refused_with_the_list_of_accepted_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"must have one of the extensions \.csv, \.tsv, \.jsonl, \.ndjson, \.parquet"):
        values(written(tmp_path, name, "text,label\n"))


@pytest.mark.parametrize(
    ("path", "fault"), [("absent.csv", "no such file"), ("https://example.org/a.csv", "it is a URL. Download the file")]
)
def test_a_missing_file_is_named(path: str, fault: str) -> None:
    with pytest.raises(DataError, match=rf"cannot read .*\.csv: {fault}"):
        values(Path(path))
