"""How a table is read is guessed from its bytes, and `prepare` reads the same rows by the settings that are written."""

import csv
import gzip
import random
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.cli.predict_command import _source
from finetune_alf.data.sample import load_sample
from finetune_alf.errors import DataError, InputError
from finetune_alf.paths import Paths
from finetune_alf.starting.reading import guess_reading
from finetune_alf.starting.table import find_table
from tiny import BAD, GOOD, save_tiny


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny(tmp_path_factory.mktemp("tiny")).path


def reviews(n: int = 60, accent: str = "é") -> list[tuple[str, str]]:
    draw = random.Random(0)
    commas = [", really" * draw.randrange(3) for _ in range(n)]
    return [
        (f"{draw.choice(BAD if row % 2 else GOOD)} caf{accent} {row}{commas[row]}", "np"[row % 2]) for row in range(n)
    ]


def written(path: Path, delimiter: str = ",", header: bool = True, encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([("text", "label")] * header + reviews())
    return path


@pytest.mark.parametrize("index", [True, False])
def test_the_numbers_by_which_pandas_calls_columns_without_names_are_no_row(
    tmp_path: Path, index: bool, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [(text, "01"[row % 2]) for row, (text, _) in enumerate(reviews())]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=index)
    found = find_table(tmp_path / "t.csv")
    assert (found.reading.settings(), found.text.value, found.label.value) == ({}, "0", "1")
    assert found.counts == {"0": 30, "1": 30}
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "delimiter", "header", "encoding", "settings"),
    [
        ("plain.csv", ",", True, "utf-8", {}),
        ("marked.csv", ",", True, "utf-8-sig", {}),
        ("semicolons.csv", ";", True, "utf-8", {"delimiter": ";"}),
        ("tabs.csv", "\t", True, "utf-8", {"delimiter": "tab"}),
        ("bars.txt", "|", True, "utf-8", {"delimiter": "|"}),
        ("windows.tsv", "\t", True, "cp1252", {"encoding": "cp1252"}),
        ("wide.csv", ",", True, "utf-16", {"encoding": "utf-16"}),
        ("bare.tsv", "\t", False, "latin-1", {"encoding": "cp1252", "columns": ["text", "label"]}),
    ],
)
def test_every_form_gives_the_same_rows(
    tmp_path: Path, name: str, delimiter: str, header: bool, encoding: str, settings: dict[str, object]
) -> None:
    found = find_table(written(tmp_path / name, delimiter, header, encoding))
    assert found.reading.settings() == settings
    assert set(found.reading.seen) == set(settings)
    assert (found.text.value, found.label.value, found.counts) == ("text", "label", {"n": 30, "p": 30})
    assert list(found.texts) == [text for text, _ in reviews()]


def test_a_stray_quote_in_a_file_that_does_not_read_without_quotes_either_is_to_be_closed(tmp_path: Path) -> None:
    rows = [f'"{text}, and more",{label}' for text, label in reviews()]
    rows[20] = rows[20].replace(' more"', " more")
    (tmp_path / "stray.csv").write_text("\n".join(["text,label", *rows]))
    with pytest.raises(DataError, match=r"stray\.csv:22: .*Without quotes the file cannot be read either\.$") as raised:
        find_table(tmp_path / "stray.csv")
    assert "predict" not in str(raised.value)
    assert raised.value.faults[0]["line"] == 22


@pytest.mark.parametrize("quoted", [{5}, {5, 12}, {5, 6}])
def test_a_file_that_only_reads_without_quotes_has_none(tmp_path: Path, quoted: set[int]) -> None:
    path = tmp_path / "raw.tsv"
    mark = '"'
    lines = [f"{mark * (row in quoted)}{text}\t{label}" for row, (text, label) in enumerate(reviews())]
    path.write_text("\n".join(["text\tlabel", *lines]))
    found = find_table(path)
    assert found.reading.settings() == {"quoting": "none"}
    assert "raw.tsv:7: " in found.reading.seen["quoting"]
    assert len(found.texts) == 60
    assert [text[0] == '"' for text in found.texts] == [row in quoted for row in range(60)]


def test_a_fault_that_quotes_do_not_explain_is_told_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "short.csv")
    path.write_text(path.read_text() + "only a text\n")
    with pytest.raises(DataError, match=r"short\.csv:62: must have 2 fields, as the header, but got 1"):
        find_table(path)


@pytest.mark.parametrize("chunked", [0, 2**16])
def test_an_encoding_is_that_of_the_whole_file(tmp_path: Path, chunked: int) -> None:
    path = tmp_path / "late.csv"
    body = b"text,label\n" + b"plain words,p\n" * (chunked // 14)
    for last, encoding in ((b"caf\xe9", "cp1252"), (b"caf\x81", "latin-1"), ("café".encode(), "utf-8")):
        path.write_bytes(body + b"n," + last)
        assert guess_reading(path).form.encoding == encoding


def test_a_file_that_is_utf_8_but_for_a_line_is_told_with_it(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv")
    lines = path.read_bytes().split(b"\n")
    lines[6] = b"un caf\xe9 de plus,n\r"
    path.write_bytes(b"\n".join(lines))
    seen = "line 7 is not UTF-8, but most others are, and are read wrong: correct it, and run this again"
    assert guess_reading(path).seen == {"encoding": seen}
    with pytest.raises(InputError, match=r"cannot read .*t\.csv as UTF-8: line 7 is not, though most others are"):
        _source(str(path), "utf-8")


def test_what_is_written_is_what_prepare_reads(tmp_path: Path, tiny: str) -> None:
    written(tmp_path / "reviews.csv", ";", header=False, encoding="latin-1")
    told = CliRunner().invoke(
        group, ["init", str(tmp_path / "reviews.csv"), "--encoder", tiny, "--root", str(tmp_path)]
    )
    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    assert "delimiter: ; (2 columns in the first line)" in lines
    assert any(line.startswith("encoding: cp1252 (not UTF-8; line 1 has 'caf") for line in lines)
    assert any(line.startswith("columns: text, label (no header line: ") for line in lines)
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr
    sample = load_sample(Paths(tmp_path).sample("reviews"))
    assert all("café" in str(text) for text in sample.splits["train"].texts)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.ndjson", "t.txt", "t.parquet"])
@pytest.mark.parametrize("has_names", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_without_rows_is_named_whatever_its_format(
    tmp_path: Path, name: str, has_names: bool, packed: bool
) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    header = {"t.csv": b"text,label\n", "t.tsv": b"text\tlabel\n"}.get(name, b"\n") if has_names else b""
    path.write_bytes(gzip.compress(header) if packed else header)
    if name == "t.parquet" and has_names:
        pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    for named in ((), ("text",)):
        with pytest.raises(InputError) as refused:
            find_table(path, named)
        assert str(path) in str(refused.value)


def test_columns_of_parquet_that_are_not_read_are_named_with_their_types(tmp_path: Path) -> None:
    texts, labels = zip(*reviews(), strict=True)
    scores = pa.array([Decimal(row) / 10 for row in range(60)])
    pq.write_table(pa.table({"text": texts, "score": scores}), tmp_path / "t.parquet")
    kind = r"\('score' is decimal128\(\d, 1\), which is not read: convert what you need\)"
    for label, message in (
        (None, rf"no other column of 'text' {kind} is one"),
        ("score", rf"There are: 'text' {kind}\."),
    ):
        with pytest.raises(InputError, match=message) as refused:
            find_table(tmp_path / "t.parquet", label=label)
        assert "the only column" not in str(refused.value)
    pq.write_table(pa.table({"text": [text.encode() for text in texts], "label": labels}), tmp_path / "t.parquet")
    with pytest.raises(
        InputError, match=r"none of 'label' \('text' is binary, which is not read: convert what you need\)"
    ):
        find_table(tmp_path / "t.parquet")
