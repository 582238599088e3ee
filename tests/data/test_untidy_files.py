"""Files as they lie in public repositories: without a header, in other encodings and formats, with stray quotes."""

import csv
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from finetune_alf.data.files_source import FileRows
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.readers.table import read_table
from finetune_alf.data.source_spec import FilesSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.data.table import open_table
from finetune_alf.data.unlabelled import read_texts
from finetune_alf.errors import DataError

ROWS = [("good phone", "pos"), ("bad, and slow", "neg"), ("fine", "pos"), ("poor", "neg")]


def rows_of(path: Path, content: str | bytes, **settings: object) -> list[tuple[object, str]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    given = {"train": path.name, "text": "text", "label": "label", **settings}
    problem_type = given.pop("problem_type", "classification")
    spec = FilesSource.model_validate_json(json.dumps(given))
    train = FileRows(spec, path.parent, problem_type).rows().splits["train"]
    return list(zip(train.texts, train.labels, strict=True))


def lines(delimiter: str, end: str = "\n", header: bool = True) -> str:
    rows = [("text", "label"), *ROWS] if header else ROWS
    quoted = [f'"{text}"' if delimiter in text else text for text, _ in rows]
    return "".join(f"{text}{delimiter}{label}{end}" for text, (_, label) in zip(quoted, rows, strict=True))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_delimiter_and_the_ends_of_lines_are_recognised(
    tmp_path: Path, name: str, delimiter: str, end: str
) -> None:
    assert rows_of(tmp_path / name, lines(delimiter, end)) == ROWS
    assert rows_of(tmp_path / name, lines(delimiter, end, header=False), columns=["text", "label"]) == ROWS


@pytest.mark.parametrize("first", ["sep=;\n", "sep=;\r\n", '\ufeff"sep=;"\n', "SEP=;\n"])
def test_a_line_by_which_excel_knows_the_delimiter_is_passed_over(tmp_path: Path, first: str) -> None:
    path = tmp_path / "a.csv"
    assert rows_of(path, first + lines(";")) == ROWS
    numbers = [number for number, _ in read_table(path, ["text"])]
    assert numbers == [3, 4, 5, 6]  # lines of the file, that one included


def test_columns_without_a_name_are_no_two_of_one_name(tmp_path: Path) -> None:
    content = "text,label,,\n" + "".join(f'"{text}",{label},x,y\n' for text, label in ROWS)
    assert rows_of(tmp_path / "a.csv", content) == ROWS
    table = open_table(tmp_path / "a.csv", ["text"], "")
    assert table.columns == ("text", "label", "", "")
    assert [tuple(values)[2:] for _, values in table.rows()] == [("x", "y")] * 4


def test_a_title_above_the_names_of_the_columns_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"names one of 3, 'Export of May'\. If it is a title, remove the lines above"):
        rows_of(tmp_path / "a.csv", "Export of May,,\ntext,label,date\na,b,c\n")


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("a.xlsx", "Save the sheet as CSV UTF-8"), ("a.json", "pandas.read_json"), ("a.zip", "Unpack")],
)
def test_a_file_that_is_no_table_has_the_way_to_one(tmp_path: Path, name: str, way_out: str) -> None:
    with pytest.raises(DataError, match=way_out):
        rows_of(tmp_path / name, "text,label\n")


@pytest.mark.parametrize(("given", "delimiter"), [("~", "~"), ("tab", "\t")])
def test_a_delimiter_can_be_named(tmp_path: Path, given: str, delimiter: str) -> None:
    assert rows_of(tmp_path / "a.csv", lines(delimiter), delimiter=given) == ROWS


@pytest.mark.parametrize("delimiter", ["\t", ","])
def test_a_missing_header_is_recognised_and_its_columns_suggested(tmp_path: Path, delimiter: str) -> None:
    content = "".join(f"{label}{delimiter}{text.replace(',', '')}\n" for text, label in ROWS)
    message = r"a\.csv: must have a header line .* looks like a row: 'pos', 'good phone'.*`columns: \[label, text\]`"
    with pytest.raises(DataError, match=message):
        rows_of(tmp_path / "a.csv", content)
    assert len(rows_of(tmp_path / "a.csv", content, columns=["label", "text"])) == 4


def test_a_first_row_that_was_named_as_columns_is_no_header(tmp_path: Path) -> None:
    content = "A phone that is good\tpos\nA bad one\tneg\nFine\tpos\n"
    with pytest.raises(DataError, match="must have a header line"):
        rows_of(tmp_path / "a.tsv", content, text="A phone that is good", label="pos")


def test_a_first_row_of_few_words_that_was_named_as_columns_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.tsv").write_text(lines("\t", header=False))
    assert len(rows_of(tmp_path / "a.tsv", lines("\t", header=False), text="good phone", label="pos")) == 3
    assert len(list(open_table(tmp_path / "a.tsv", ("good phone",), "").rows())) == 3
    for record in caplog.records:
        message = record.getMessage()
        assert "a.tsv:1: the first line names the columns, but 'pos' is also a value below" in message
        assert "`columns: [text, label]`" in message
    assert len(caplog.records) == 2


def test_missing_columns_of_a_file_may_be_names_that_it_has_not(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"column 'text', 'label', .* If the file has no header line, set"):
        rows_of(tmp_path / "a.tsv", "good phone\tfine\nslow\tpoor\n")


@pytest.mark.parametrize("name", ["text", "Review Text", "review_text", "sentence1"])
def test_a_column_named_as_one_of_its_classes_is_a_header(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    rows = rows_of(tmp_path / "a.csv", f"{name},spam\na,spam\nb,ham\n", text=name, label="spam")
    assert rows == [("a", "spam"), ("b", "ham")]
    assert not caplog.records


def test_columns_of_a_file_with_a_header_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv:1: must be a row, but has the names of `columns`"):
        rows_of(tmp_path / "a.csv", lines(","), columns=["text", "label"])
    with pytest.raises(DataError, match="must be delimited text where `columns` or `delimiter` is set"):
        rows_of(tmp_path / "a.jsonl", "", columns=["text", "label"])
    with pytest.raises(ValidationError, match="columns: must have different names"):
        rows_of(tmp_path / "a.csv", "", columns=["text", "text"])


@pytest.mark.parametrize(
    ("encoding", "name"), [("latin-1", "a.csv"), ("cp1252", "a.jsonl"), ("utf-16", "a.csv"), ("UTF16", "a.csv")]
)
def test_an_encoding_can_be_named(tmp_path: Path, encoding: str, name: str) -> None:
    row = '{"text": "café", "label": "très bon"}\n' if name.endswith("l") else "text,label\ncafé,très bon\n"
    assert rows_of(tmp_path / name, row.encode(encoding), encoding=encoding) == [("café", "très bon")]


def test_every_line_of_another_encoding_is_named_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        rows_of(tmp_path / "a.csv", "text,label\ncafé,a\nok,b\nnaïf,b\n".encode("latin-1"))
    text = str(error.value)
    assert "a.csv:2: must be UTF-8, but got byte 0xe9 at byte 4" in text
    assert "a.csv:4: must be UTF-8" in text
    assert text.count("`encoding: latin-1`") == 1
    with pytest.raises(DataError, match=r"a\.csv:4: must be UTF-8, .*\. Correct the line, since most others are UTF-8"):
        rows_of(tmp_path / "a.csv", "text,label\ncafé,a\nvoilà,b\n".encode() + "naïf,b\n".encode("latin-1"))
    with pytest.raises(DataError, match="Set `encoding: utf-16`"):
        rows_of(tmp_path / "a.csv", lines(",").encode("utf-16"))
    with pytest.raises(ValidationError, match="encoding: must be a text encoding"):
        rows_of(tmp_path / "a.csv", "", encoding="base64")


def test_text_files_of_fasttext_are_read(tmp_path: Path) -> None:
    content = "__label__pos good phone\n__label__neg bad, and slow\n\n"
    assert rows_of(tmp_path / "a.txt", content) == [("good phone", "pos"), ("bad, and slow", "neg")]
    with pytest.raises(DataError, match=r"a\.txt:2: must have one label, as in `__label__NAME text`, but got 2"):
        rows_of(tmp_path / "a.txt", "__label__a x\n__label__a __label__b y\n")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.txt.gz", "a.jsonl.gz"])
def test_compressed_files_are_read(tmp_path: Path, name: str) -> None:
    content = {"csv": "text,label\nx,a\ny,b\n", "txt": "__label__a x\n__label__b y\n"}.get(name.split(".")[1])
    content = content or '{"text": "x", "label": "a"}\n{"text": "y", "label": "b"}\n'
    assert rows_of(tmp_path / name, gzip.compress(content.encode())) == [("x", "a"), ("y", "b")]
    with pytest.raises(DataError, match="must be a whole gzip file"):
        rows_of(tmp_path / name, gzip.compress(content.encode())[:-9])
    with pytest.raises(DataError, match="must be a whole gzip file"):
        rows_of(tmp_path / name, content)


def test_texts_without_labels_are_lines_of_a_text_file_as_before(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one, two\nthree\n")
    assert read_texts("a.txt", None, tmp_path).texts == ("one, two", "three")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text\none\n"))
    with pytest.raises(DataError, match="must have a column"):
        read_texts("a.csv.gz", None, tmp_path)
    assert read_texts("a.csv.gz", "text", tmp_path).texts == ("one",)


def test_missing_texts_without_labels_are_left_out_as_blank_ones_are(tmp_path: Path) -> None:
    texts = ["one", None, " ", "two"]
    (tmp_path / "a.csv").write_text("id,text\n" + "".join(f"{at},{text or ''}\n" for at, text in enumerate(texts)))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts) + '{"id": 1}\n')
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert read_texts(name, "text", tmp_path).texts == ("one", "two")
    (tmp_path / "a.jsonl").write_text('{"text": 5}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:1: the text must be a string, but got 5\. Correct the row"):
        read_texts("a.jsonl", "text", tmp_path)


def test_bad_rows_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text('text,label\na,x\nb\n,y\nc,\n"d"e,x\nf,y\n')
    (tmp_path / "test.jsonl").write_text('{"text": "g", "label": "x"}\n{"text": "h"\n{"text": 5, "label": "y"}\n')
    spec = FilesSource(train="train.csv", test="test.jsonl", text="text", label="label")
    with pytest.raises(DataError) as error:
        FileRows(spec, tmp_path).rows()
    found = [line.strip().rpartition("/")[2].split(": ")[0] for line in str(error.value).splitlines()[1:-1]]
    assert [name.split(":")[:2] for name in found] == [
        ["train.csv", "3"],
        ["train.csv", "4"],
        ["train.csv", "5"],
        ["train.csv", "6"],
        ["test.jsonl", "2"],
        ["test.jsonl", "3"],
    ]


def pos_or_neg(row: int) -> str:
    return "pos" if row % 2 else "neg"


def stray(n_rows: int, begin: int, end: int, label: Callable[[int], str] = pos_or_neg) -> str:
    texts = [f"text {number}" for number in range(n_rows)]
    texts[begin], texts[end] = f'"{texts[begin]}', f'{texts[end]}"'
    return "text\tlabel\n" + "".join(f"{text}\t{label(at)}\n" for at, text in enumerate(texts))


def test_rows_that_a_stray_quote_would_swallow_are_named_by_first_and_last_line(tmp_path: Path) -> None:
    content = stray(60, 10, 17)
    with pytest.raises(DataError, match=r"a\.tsv:12: a quoted field runs over lines 12 to 19.*`quoting: none`"):
        rows_of(tmp_path / "a.tsv", content)
    rows = rows_of(tmp_path / "a.tsv", content, quoting="none")
    assert len(rows) == 60
    assert rows[10] == ('"text 10', "neg")


@pytest.mark.parametrize(
    ("label", "settings"),
    [
        (lambda row: "rare" if row == 12 else pos_or_neg(row), {}),
        (lambda row: f"a|b{row}" if row % 2 else "c", {"problem_type": "multi_label"}),
        (lambda row: f"{row + 1}e-05", {"problem_type": "regression"}),
    ],
    ids=["a label of one row", "several classes", "numbers with exponents"],
)
def test_swallowed_rows_need_not_all_have_a_label_of_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, label: Callable[[int], str], settings: dict[str, str]
) -> None:
    with pytest.raises(DataError, match=r"a\.tsv:12: a quoted field runs over lines 12 to 19"):
        rows_of(tmp_path / "a.tsv", stray(60, 10, 17, label), **settings)
    assert not caplog.records


def test_swallowed_rows_are_told_by_several_columns_of_labels(tmp_path: Path) -> None:
    texts = [f"text {row}" for row in range(60)]
    texts[10], texts[17] = f'"{texts[10]}', f'{texts[17]}"'
    content = "a\tb\ttext\n" + "".join(f"{row % 2}\t1\t{text}\n" for row, text in enumerate(texts))
    with pytest.raises(DataError, match=r"a\.tsv:12: a quoted field runs over lines 12 to 19"):
        rows_of(tmp_path / "a.tsv", content, label=["a", "b"], problem_type="multi_label")


UNSURE = r"a\.tsv:12: a quote joins lines 12 to 19, each of which looks like a row: 60 lines, 53 rows.*`quoting: none`"


def test_swallowed_rows_without_a_label_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.tsv").write_text(stray(60, 10, 17))
    assert len(read_texts("a.tsv", "text", tmp_path).texts) == 53
    assert re.search(UNSURE, caplog.text)
    caplog.clear()
    assert len(list(open_table(tmp_path / "a.tsv", ("text",), "").rows())) == 53
    assert len(caplog.records) == 1
    assert re.search(UNSURE, caplog.text)


def test_swallowed_rows_whose_labels_occur_once_each_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = stray(60, 10, 17, lambda row: f"a{row}|b{row}")
    assert len(rows_of(tmp_path / "a.tsv", content, problem_type="multi_label")) == 53
    assert re.search(UNSURE, caplog.text)


def test_texts_of_several_lines_are_not_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labelled = 'text,label\n"fine, I think\nso far",pos\n' + "".join(
        f"text {row},{pos_or_neg(row)}\n" for row in range(9)
    )
    assert len(rows_of(tmp_path / "a.csv", labelled)) == 10
    long = '"first, then\nanother\nand, well, more"\n'
    (tmp_path / "b.csv").write_text("id,text\n" + f"1,{long}" * 3 + '2,"one\ntwo, three"\n')
    assert len(list(open_table(tmp_path / "b.csv", ("text",), "").rows())) == 4
    (tmp_path / "c.csv").write_text('text\n"one\ntwo"\n')
    assert read_texts("c.csv", "text", tmp_path).texts == ("one\ntwo",)
    assert not caplog.records


def test_a_text_of_several_lines_with_delimiters_stays_one_row(tmp_path: Path) -> None:
    content = 'text,label\n"well, pos\nbad, neg\nso",pos\nshort,neg\n"label,pos\nlabel,neg\nend",neg\n'
    assert [label for _, label in rows_of(tmp_path / "a.csv", content)] == ["pos", "neg", "neg"]
    assert list(read_table(tmp_path / "a.csv", ("text", "label"), labels=("label",)))[2][0] == 6
    first = 'label,text\npos,"one\ntwo, three"\nneg,"four\nfive"\nneg,six\npos,seven\n'
    assert len(rows_of(tmp_path / "b.csv", first)) == 4


def test_a_quote_that_is_not_closed_is_named_as_such(tmp_path: Path) -> None:
    content = 'text,label\n"open,pos\n' + "a longer line of words\n" * 7000
    with pytest.raises(DataError, match=r"a\.csv:2: .* the quote that opens in line 2 is not closed up to line 7002"):
        rows_of(tmp_path / "a.csv", content)
    with pytest.raises(DataError, match=r"the quote that opens in line 2 is not closed up to line 7003"):
        rows_of(tmp_path / "a.csv", content + '",neg\n')


def test_a_long_text_on_one_line_is_read(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "a.csv", f"text,label\n{'x' * 140_000},a\n")[0][1] == "a"


def test_a_long_text_is_read_whatever_the_process_has_read_before(tmp_path: Path) -> None:
    before = csv.field_size_limit(131_072)  # as Python starts with
    try:
        assert rows_of(tmp_path / "a.csv", f"text;label\n{'x' * 140_000};a\nwords;b\n")[0][1] == "a"
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_carriage_return_is_part_of_a_quoted_text_of_several_lines(tmp_path: Path, end: str) -> None:
    content = end.join(["text,label", f'"one{end}two \r three",pos', "four,neg", ""])
    assert rows_of(tmp_path / "a.csv", content) == [(f"one{end}two \r three", "pos"), ("four", "neg")]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_carriage_return_outside_of_quotes_is_named_by_its_line(tmp_path: Path, name: str) -> None:
    delimiter = {"a.csv": ",", "a.tsv": "\t"}[name]
    content = "text,label\ngood,pos\none \r two,neg\nthree,pos\n".replace(",", delimiter)
    with pytest.raises(DataError) as caught:
        rows_of(tmp_path / name, content)
    assert str(caught.value) == (
        f"{tmp_path / name}:3: must be delimited text, but has a carriage return within a field without quotes. "
        "Put the field in quotes, or take the carriage return out."
    )


def test_a_carriage_return_in_the_line_of_the_names_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv:1: must be delimited text, but has a carriage return"):
        rows_of(tmp_path / "a.csv", 'text,label\r"one\ntwo",pos\r"three\nfour",neg\r')


def test_cards_of_files_name_only_what_is_set(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(lines(";"))
    counts = {"n_train": 2, "n_validation": 0, "n_confirmation": 0, "n_test": 0, "max_train_frac": 1}
    source = {"kind": "files", "train": "a.csv", "text": "text", "label": "label"}
    plain, named = (
        prepare_sample(
            "own", SampleSpec.model_validate_json(json.dumps({"source": own, **counts})), tmp_path / "own", tmp_path
        )
        for own in (source, {**source, "delimiter": ";"})
    )
    assert set(plain.source) == {"kind", "train", "validation", "test", "text", "label"}
    assert named.source["delimiter"] == ";"
    assert plain.digest == named.digest
