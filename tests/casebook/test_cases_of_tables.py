"""A table that cannot be used: what `finetune-alf prepare` says."""

import re
from pathlib import Path

import pytest
from refusals import refusal, refused_in_json

from small_project import PARAMS

ENCODERS, _, REST = PARAMS.partition("samples:\n")
_, _, STUDIES = REST.partition("studies:\n")
SETTINGS = (
    ENCODERS
    + """samples:
  films:
    source: {kind: files, train: FILE, text: text, label: label}
    n_train: 8
    n_validation: 2
    n_confirmation: 2
    n_test: 2
studies:
"""
    + STUDIES.partition("transfer:")[0]
)

ROWS = "".join(f"text {number},{('bad', 'good')[number % 2]}\n" for number in range(20))
TABLE = f"text,label\n{ROWS}".encode()
MANY = b"".join(b'{"text": "a%d", "label": "b"}\n' % number for number in range(20))

CASES = {
    "missing": ("t.csv", None, "cannot read t.csv: no such file"),
    "a folder": (".", None, "must have one of the extensions"),
    "empty": ("t.csv", b"", "t.csv: must have the column 'text', 'label', but is empty"),
    "header alone": ("t.csv", b"text,label\n", "t.csv: must have rows, but has none"),
    "too few fields": ("t.csv", TABLE + b"one\n", "t.csv:22: must have 2 fields, as the header, but got 1"),
    "too many fields": ("t.csv", TABLE + b"a,b,c\n", "t.csv:22: must have 2 fields, as the header, but got 3"),
    "a trailing comma": ("t.jsonl", b'{"text": "a", "label": "b",}\n', "t.jsonl:1:28: must be JSON"),
    "no value of JSON": ("t.jsonl", MANY + b'{"text": NaN, "label": "b"}\n', "t.jsonl:21: must be JSON, but got: NaN"),
    "a key twice": (
        "t.jsonl",
        b'{"text": "a", "text": "b", "label": "c"}\n',
        "t.jsonl:1: must be JSON",
    ),
    "a number of 5,000 digits": (
        "t.jsonl",
        b'{"text": "a", "label": ' + b"9" * 5000 + b"}\n",
        "t.jsonl:1: must be JSON",
    ),
    "not UTF-8": ("t.csv", TABLE + b"\xff,good\n", "t.csv:22: must be UTF-8, but got byte 0xff at byte 1 of the line"),
    "a NUL byte": ("t.csv", TABLE + b"a\0b,good\n", "t.csv:22: must be text, but got a NUL byte at byte 2 of the line"),
    "no such column": ("t.csv", b"text,lable\na,b\n", "must have the column 'label', but got 'text', 'lable'"),
    "a column twice": ("t.csv", b"text,label,label\na,b,c\n", "must have unique column names, but got"),
    "no label": ("t.csv", TABLE + b"some text,\n", "t.csv:22: the label must be an integer or a string, but got ''"),
    "no text": ("t.csv", TABLE + b",good\n", "t.csv:22: "),
    "one class": ("t.csv", TABLE.replace(b"bad", b"good"), "must have at least two classes, but got only 'good'"),
    "no Parquet": ("t.parquet", b"PAR1" + b"x" * 40, "t.parquet: must be a whole Parquet file"),
    "no gzip": ("t.csv.gz", b"text,label\n", "t.csv.gz: must be a whole gzip file"),
    "a pickle": ("t.pkl", b"\x80\x04K\x01.", "t.pkl: must have one of the extensions"),
    "a script": ("t.py", b"raise SystemExit\n", "t.py: must have one of the extensions"),
    "an archive": ("t.zip", b"PK", "t.zip: must have one of the extensions"),
    "an address": ("https://example.org/t.csv", None, "it is a URL. Download the file, and name its path."),
    "no file": ("there/t.csv", None, "there/t.csv: no such file. Check the path."),
    "a field over the limit": ("t.csv", TABLE + b"x" * (17 << 20) + b",good\n", "t.csv:22: "),
}


@pytest.mark.parametrize(("file", "content", "message"), CASES.values(), ids=CASES)
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, file: str, content: bytes | None, message: str) -> None:
    (tmp_path / "params.yaml").write_text(SETTINGS.replace("FILE", file).replace("train: .,", "train: './',"))
    if content is not None:
        (tmp_path / file).write_bytes(content)
    told = refusal(tmp_path, "prepare", "films")
    assert told.startswith("samples.films: ")
    assert message in told
    faults = refused_in_json(tmp_path, "prepare", "films").get("faults", [])
    for line in re.findall(rf"^samples.films: {re.escape(file)}:(\d+):", told):
        assert (faults[0]["file"], faults[0]["line"]) == (str(tmp_path / file), int(line))


def test_equal_files_of_two_splits_are_refused(tmp_path: Path) -> None:
    source = "{kind: files, train: t.csv, test: u.csv, text: text, label: label}"
    (tmp_path / "params.yaml").write_text(
        SETTINGS.replace("{kind: files, train: FILE, text: text, label: label}", source)
    )
    for name in ("t.csv", "u.csv"):
        (tmp_path / name).write_bytes(TABLE)
    assert "u.csv" in refusal(tmp_path, "prepare", "films")
