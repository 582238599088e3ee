"""`finetune-alf predict`: tables in, labelled tables out, whatever their format, chunk by chunk."""

import csv
import gzip
import io
import json
import os
import signal
import weakref
from datetime import date

import pytest
import torch
from click.testing import CliRunner
from transformers import AutoConfig

from finetune_alf.classifier.calibration import calibration_of
from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.folder import load_classifier, write_folder
from finetune_alf.classifier.labelling import labelled_chunks
from finetune_alf.classifier.record import read_record
from finetune_alf.cli.entry import group
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.sample import load_sample
from finetune_alf.data.spec import SampleSpec
from finetune_alf.data.table import Table, open_table
from finetune_alf.data.text_columns import JoinedText
from finetune_alf.encoder.load import load_encoder
from finetune_alf.errors import DataError
from tiny import BAD, GOOD, save_tiny, tiny_recipe

TEXTS, NAMES = (*GOOD, *BAD), ("très mal", "good")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with a classifier that was not trained, as that of study tiny, with temperature 2."""
    root = tmp_path_factory.mktemp("predict")
    encoder = load_encoder(save_tiny(root / "encoder"), 2)
    encoder.reset(1)
    with torch.no_grad():
        encoder.model.classifier.weight.mul_(300)  # so that the texts differ in class and probability
    classifier = Classifier(encoder, NAMES, 12, "first", "fp32", temperature=2.0)
    logits = classifier.logits(TEXTS)
    calibration = calibration_of(2.0, logits, [0, 1] * 4, "test")
    facts = {"scheme": "baseline", "recipe": tiny_recipe(), "encoder": encoder.identity, "sample": "0", "fit": "a"}
    write_folder(root / "models" / "tiny", classifier, calibration=calibration, **facts)
    return root


@pytest.fixture(scope="module")
def expected(root):
    """The class and the probabilities of each text."""
    classifier = load_classifier(root / "models" / "tiny")
    probabilities = classifier.probabilities(TEXTS)
    return list(zip(classifier.names(probabilities), probabilities.tolist(), strict=True))


def predict(root, *words, given=None):
    return CliRunner().invoke(group, ["predict", "tiny", *words, "--root", str(root)], input=given)


def table(delimiter=",", texts=TEXTS, name="text"):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows([("id", name), *enumerate(texts)])
    return file.getvalue()


def rows_of(text, delimiter=","):
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def check(rows, expected):
    assert [int(row["id"]) for row in rows] == list(range(len(expected)))
    assert [row["label"] for row in rows] == [name for name, _ in expected]
    for row, (_, probabilities) in zip(rows, expected, strict=True):
        own = [float(row[f"probability.{name}"]) for name in NAMES]
        assert own == pytest.approx(probabilities, abs=1e-6)
        assert float(row["probability"]) == max(own)


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".csv", ";"), (".tsv", "\t")])
def test_delimited_rows_keep_their_columns_and_order(root, tmp_path, expected, suffix, delimiter):
    (tmp_path / f"in{suffix}").write_text(table(delimiter))
    result = predict(root, str(tmp_path / f"in{suffix}"))
    assert result.exit_code == 0, result.output
    rows = rows_of(result.stdout, "\t" if suffix == ".tsv" else ",")
    assert list(rows[0]) == ["id", "text", "label", "probability", *(f"probability.{name}" for name in NAMES)]
    assert [row["text"] for row in rows] == list(TEXTS)
    check(rows, expected)
    assert "8 rows, labelled in" in result.stderr


def test_json_lines_and_parquet_and_standard_input_give_the_same(root, tmp_path, expected):
    import pyarrow as pa
    import pyarrow.parquet as pq

    objects = [{"id": index, "text": text} for index, text in enumerate(TEXTS)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(each) + "\n" for each in objects))
    pq.write_table(pa.Table.from_pylist(objects), tmp_path / "in.parquet")
    for words, given in (
        ([str(tmp_path / "in.jsonl")], None),
        ([str(tmp_path / "in.parquet")], None),
        (["-"], (tmp_path / "in.jsonl").read_text()),
    ):
        result = predict(root, *words, given=given)
        assert result.exit_code == 0, result.output
        check([json.loads(line) for line in result.stdout.splitlines()], expected)
    check(rows_of(predict(root, "-", given=table()).stdout), expected)


def test_the_file_is_whole_or_not_there_and_its_extension_says_how_it_is_written(root, tmp_path, expected):
    (tmp_path / "in.csv").write_text(table(name="review"))
    words = (str(tmp_path / "in.csv"), "--text", "review", "--out")
    result = predict(root, *words, str(tmp_path / "out.jsonl"))
    assert (result.exit_code, result.stdout) == (0, "")
    check([json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()], expected)
    (tmp_path / "in.csv").write_text(table(name="review") + "9,one,too many\n")
    result = predict(root, *words, str(tmp_path / "again.csv"))
    assert result.exit_code == 3
    assert "in.csv:10" in result.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.csv", "out.jsonl"]
    assert predict(root, *words, str(tmp_path / "out.xlsx")).exit_code == 3


def test_a_row_without_text_has_no_label_and_a_column_label_of_the_file_stays(root, tmp_path):
    (tmp_path / "in.csv").write_text("label,text\nold,warm fine meal\nold,  \n")
    result = predict(root, str(tmp_path / "in.csv"))
    full, empty = rows_of(result.stdout)
    assert full["label"] == empty["label"] == "old"
    assert full["predicted.label"] in NAMES
    assert empty["predicted.label"] == empty["predicted.probability"] == ""
    assert "2 rows, 1 of them without text" in result.stderr


class CountedTable(Table):
    """A table that counts the rows that were taken from it."""

    n_taken = 0

    def rows(self):
        for row in super().rows():
            self.n_taken += 1
            yield row


def counted(path):
    return CountedTable(**vars(open_table(path, ("text",), "")))


def test_rows_are_held_a_chunk_at_a_time_and_chunks_change_nothing(root, tmp_path, expected):
    (tmp_path / "in.csv").write_text(table(texts=TEXTS * 2))
    classifier, source = load_classifier(root / "models" / "tiny"), counted(tmp_path / "in.csv")
    labels, taken, kept = [], [], None
    for chunk in labelled_chunks(classifier, source, "text", chunk=3):
        assert kept is None or kept() is None  # nobody holds the chunk before
        labels += [row[2] for row in chunk.rows]
        taken.append(source.n_taken)
        kept = weakref.ref(chunk)
        del chunk
    assert taken == [3, 6, 9, 12, 15, 16]
    assert labels == [name for name, _ in expected] * 2


def test_a_bad_row_is_met_when_its_chunk_is_read(root, tmp_path):
    (tmp_path / "in.csv").write_text(table() + "8,one,too many\n")
    classifier, source = load_classifier(root / "models" / "tiny"), open_table(tmp_path / "in.csv", ("text",), "")
    chunks = labelled_chunks(classifier, source, "text", chunk=4)
    assert [len(next(chunks).rows), len(next(chunks).rows)] == [4, 4]
    with pytest.raises(DataError, match=r"in\.csv:10: must have 2 fields"):
        next(chunks)


def test_a_bad_row_has_its_line_in_json(root, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "fine"}\n{"text": 3}\n')
    result = predict(root, str(tmp_path / "in.jsonl"), "--json", "--out", str(tmp_path / "out.csv"))
    error = json.loads(result.stdout)["error"]
    assert error["faults"] == [
        {
            "file": str(tmp_path / "in.jsonl"),
            "line": 2,
            "field": "text",
            "message": "the text must be a string, but got 3",
        }
    ]


def test_the_position_grows_batch_by_batch_to_the_end_of_the_table(root, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([{"text": text} for text in TEXTS]), tmp_path / "in.parquet")
    (tmp_path / "in.csv").write_text(table())
    classifier = load_classifier(root / "models" / "tiny")
    for name, unit in (("in.parquet", "rows"), ("in.csv", "B")):
        source, positions, rows = open_table(tmp_path / name, ("text",), ""), [], []

        def report(position, n_rows, positions=positions, rows=rows):
            positions.append(position)
            rows.append(n_rows)

        n_rows = sum(len(chunk.rows) for chunk in labelled_chunks(classifier, source, "text", report, chunk=5))
        assert source.unit == unit
        assert (positions, rows) == (sorted(positions), sorted(rows))
        assert (positions[-1], rows[-1]) == (source.total, n_rows)


class Once(io.BytesIO):
    """Standard input of which every byte can be read once; `at_end` is called when all is read."""

    def __init__(self, content, at_end=None):
        super().__init__(content)
        self.at_end = at_end

    def seekable(self):
        return False

    def read(self, size=-1):
        got = super().read(min(size, 4096) if size >= 0 else 4096)
        if size and not got and self.at_end:
            self.at_end()
        return got


@pytest.mark.parametrize(
    ("content", "is_objects"),
    [
        (table().encode(), False),
        (b"\xef\xbb\xbf" + table(";").encode(), False),
        (gzip.compress(table("\t").encode()), False),
        (b'\xef\xbb\xbf{"id": 0, "text": "warm fine meal"}\n', True),
        (gzip.compress(b'{"id": 0, "text": "warm fine meal"}\n'), True),
    ],
    ids=["csv", "mark", "gzip", "objects", "objects-gzip"],
)
def test_standard_input_is_recognised_by_its_first_part(root, content, is_objects, expected):
    result = predict(root, "-", given=Once(content))
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()] if is_objects else rows_of(result.stdout)
    assert rows
    check(rows, expected[: len(rows)])


def test_standard_input_longer_than_its_first_part_is_read_to_the_end(root, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    rows = table(texts=["warm fine meal " * 40] * 300)
    result = predict(root, "-", given=Once(rows.encode()))
    assert [row["id"] for row in rows_of(result.stdout)] == [str(index) for index in range(300)]
    assert "300 texts have 12 tokens or more" in result.stderr
    result = predict(root, "-", given=Once((rows + "300,one,too many\n").encode()))
    assert result.exit_code == 3
    assert result.stderr.startswith("standard input:302: must have 2 fields")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_another_encoding_is_found_out_at_once_and_can_be_given(root, tmp_path, encoding):
    (tmp_path / "in.csv").write_text("name,text\n“café”,warm fine meal\n", encoding=encoding)
    result = predict(root, str(tmp_path / "in.csv"))
    assert result.exit_code == 3
    assert f"Give --encoding {encoding}." in result.stderr
    for words, given in (([str(tmp_path / "in.csv")], None), (["-"], Once((tmp_path / "in.csv").read_bytes()))):
        result = predict(root, *words, "--encoding", encoding, given=given)
        assert result.exit_code == 0, result.output
        assert rows_of(result.stdout)[0]["name"] == "“café”"
    assert predict(root, "in.csv", "--encoding", "hex").exit_code == 2


def test_quotes_of_a_file_without_quoting_are_parts_of_its_texts(root, tmp_path):
    (tmp_path / "in.tsv").write_text('id\ttext\n1\t"warm fine meal\n2\tcold stale soup\n')
    result = predict(root, str(tmp_path / "in.tsv"))
    assert result.exit_code == 3
    assert "pass `--quoting none` to `predict`" in result.stderr
    result = predict(root, str(tmp_path / "in.tsv"), "--quoting", "none")
    assert result.exit_code == 0, result.output
    assert "warm fine meal" in result.stdout
    assert len(result.stdout.splitlines()) == 3


def test_parquet_on_standard_input_is_refused_by_name(root):
    result = predict(root, "-", given=Once(b"PAR1\x15\x04"))
    assert result.exit_code == 3
    assert result.stderr.startswith("cannot read Parquet from standard input")


def test_an_interrupt_leaves_no_file(root, tmp_path):
    stop = lambda: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
    rows = table(texts=["warm fine meal " * 10] * 3000)
    result = predict(root, "-", "--out", str(tmp_path / "out.csv"), given=Once(rows.encode(), stop))
    assert result.exit_code == 130
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_ends_it_without_a_word(root, tmp_path, monkeypatch, capfd):
    reading, writing = os.pipe()
    os.close(reading)
    (tmp_path / "in.csv").write_text(table())
    with open(writing, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        words = ["predict", "tiny", str(tmp_path / "in.csv"), "--root", str(root)]
        with pytest.raises(SystemExit) as end:
            group(words)
        monkeypatch.undo()
    assert end.value.code == 141
    assert capfd.readouterr().err == ""


def test_a_terminal_gets_a_bar_a_log_and_quiet_ones_get_none(root, tmp_path, monkeypatch):
    (tmp_path / "in.csv").write_text(table())
    words = ["predict", "tiny", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv"), "--root", str(root)]
    shown = {}
    for name, more in (("terminal", []), ("quiet", ["--quiet"])):
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with pytest.raises(SystemExit):
            group([*words, *more])
        shown[name] = terminal.getvalue()
        monkeypatch.undo()
    assert "predict: 100%" in shown["terminal"]
    assert shown["quiet"] == ""
    assert "%" not in CliRunner().invoke(group, words).stderr


def test_columns_of_any_type_are_kept(root, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = {"text": "warm fine meal", "day": date(2026, 1, 2), "tags": ["a", "é"], "share": float("nan"), "new": True}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "in.parquet")
    found = json.loads(predict(root, str(tmp_path / "in.parquet")).stdout)
    assert [found[name] for name in row] == ["warm fine meal", "2026-01-02", ["a", "é"], None, True]
    assert predict(root, str(tmp_path / "in.parquet"), "--out", str(tmp_path / "out.csv")).exit_code == 0
    (cells,) = rows_of((tmp_path / "out.csv").read_text())
    assert [cells[name] for name in row] == ["warm fine meal", "2026-01-02", '["a", "é"]', "", "true"]


def test_nan_within_lists_and_objects_is_null_as_json_has_it(root, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    nan = float("nan")
    row = {"text": "warm fine meal", "vector": [0.5, nan, float("inf")], "facts": {"a": nan, "b": [nan, 1.0]}}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "in.parquet")
    lists = {"vector": [0.5, None, None], "facts": {"a": None, "b": [None, 1.0]}}
    written = predict(root, str(tmp_path / "in.parquet")).stdout
    found = json.loads(written, parse_constant=pytest.fail)
    assert {name: found[name] for name in lists} == lists
    (tmp_path / "again.jsonl").write_text(written)
    assert predict(root, str(tmp_path / "again.jsonl")).exit_code == 0
    assert predict(root, str(tmp_path / "in.parquet"), "--out", str(tmp_path / "out.csv")).exit_code == 0
    (cells,) = rows_of((tmp_path / "out.csv").read_text())
    assert {name: json.loads(cells[name], parse_constant=pytest.fail) for name in lists} == lists


def test_a_column_of_texts_beside_empty_ones_is_no_title(root, tmp_path):
    (tmp_path / "in.csv").write_text("text,,\ngood film,,\n")
    ended = predict(root, str(tmp_path / "in.csv"))
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout.startswith("text,,,label,probability,")


def test_several_columns_without_a_name_are_all_kept_in_objects(root, tmp_path):
    (tmp_path / "in.csv").write_text(",text,id,\n7,warm fine meal,a,note\n")
    assert predict(root, str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.jsonl")).exit_code == 0
    found = json.loads((tmp_path / "out.jsonl").read_text())
    assert list(found.items())[:4] == [("column1", "7"), ("text", "warm fine meal"), ("id", "a"), ("column4", "note")]
    result = predict(root, str(tmp_path / "in.csv"))
    assert result.stdout.splitlines()[1].startswith("7,warm fine meal,a,note,")
    (tmp_path / "one.csv").write_text(",text,id\n7,warm fine meal,a\n")
    assert predict(root, str(tmp_path / "one.csv"), "--out", str(tmp_path / "one.jsonl")).exit_code == 0
    assert json.loads((tmp_path / "one.jsonl").read_text())[""] == "7"  # as pandas writes the index of a frame


@pytest.mark.parametrize(("encoding", "option"), [("utf-16", "utf-16"), ("cp1252", "cp1252"), ("latin-1", "latin-1")])
def test_another_encoding_of_standard_input_is_refused_with_the_option(root, encoding, option):
    text = {"cp1252": "“warm”", "latin-1": "wärm"}.get(encoding, "warm")
    result = predict(root, "-", given=Once(f"id,text\n1,{text}\n".encode(encoding)))
    assert result.exit_code == 3
    assert f"or pass `--encoding {option}` to `predict`." in result.stderr
    assert predict(root, "-", "--encoding", option, given=Once(f"id,text\n1,{text}\n".encode(encoding))).exit_code == 0


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_carriage_return_within_a_text_is_read_again_from_what_was_written(root, tmp_path, suffix):
    given = json.dumps({"text": "warm\rfine\rmeal", "note\r": "\r"}) + "\n"
    assert predict(root, "-", "--out", str(tmp_path / f"out{suffix}"), given=given).exit_code == 0
    result = predict(root, str(tmp_path / f"out{suffix}"), "--out", str(tmp_path / "again.jsonl"))
    assert result.exit_code == 0, result.stderr
    found = json.loads((tmp_path / "again.jsonl").read_text())
    assert (found["text"], found["note\r"]) == ("warm\rfine\rmeal", "\r")


def test_one_long_text_is_told_as_one(root):
    result = predict(root, "-", given="text\n" + "warm fine meal " * 9 + "\n")
    assert "1 row, labelled in" in result.stderr
    assert "1 text has 12 tokens or more; no more than those are read." in result.stderr


def test_objects_may_lack_a_key_and_half_a_surrogate_stays_as_it_was(root):
    given = '{"text": "warm fine meal", "note": "\\ud83d"}\n{"text": "cold sad meal"}\n'
    first, second = (json.loads(line) for line in predict(root, "-", given=given).stdout.splitlines())
    assert (first["note"], second["note"]) == ("\ud83d", None)
    result = predict(root, "-", given=given + '{"text": "fine", "more": 1}\n')
    assert result.exit_code == 3
    assert result.stderr.startswith("standard input:3: has the key 'more'")


@pytest.mark.parametrize(
    ("out", "message"),
    [("in.csv", "it is the table that is read"), ("no/out.csv", "there is no folder no"), ("out.xlsx", "extensions")],
)
def test_what_cannot_be_written_is_named_before_anything_is_loaded(root, tmp_path, monkeypatch, out, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text(table(texts=()))
    result = CliRunner().invoke(group, ["predict", "nothing", "in.csv", "--out", out])
    assert result.exit_code == 3
    assert message in result.stderr
    assert (tmp_path / "in.csv").read_text() == "id,text\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: no such file"),
        (["in.csv", "--text", "body"], "Name the column of the text by --text."),
        (["in.csv", *("--text", "id") * 3], "--text: must be given once or twice"),
    ],
)
def test_what_is_not_there_is_named(root, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text(table())
    result = predict(root, *words)
    assert result.exit_code == 3
    assert message in result.stderr


@pytest.fixture
def saved_with(root, tmp_path):
    """A function that saves the classifier with the columns that it was trained on."""

    def save(text):
        classifier, kept = load_classifier(root / "models" / "tiny"), read_record(root / "models" / "tiny")
        names = ("calibration", "scheme", "recipe", "encoder", "sample", "fit")
        write_folder(
            tmp_path / "models" / "tiny", classifier, text=text, **{name: getattr(kept, name) for name in names}
        )

    return save


def test_columns_are_those_that_the_classifier_was_trained_on(saved_with, tmp_path, expected):
    saved_with(JoinedText(join=("title", "body", "more")))
    parts = [text.split(" ", 1) for text in TEXTS]
    rows = [{"id": n, "title": first, "body": "", "more": rest} for n, (first, rest) in enumerate(parts)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {**rows[0], "more": None}]))
    found = [json.loads(line) for line in predict(tmp_path, str(tmp_path / "in.jsonl")).stdout.splitlines()]
    check(found[:-1], expected)
    assert found[-1]["label"] in NAMES  # of the title alone
    (tmp_path / "in.csv").write_text("id,one,two\n" + "".join(f"{n},{a},{b}\n" for n, (a, b) in enumerate(parts)))
    result = predict(tmp_path, str(tmp_path / "in.csv"), "--text", "one", "--text", "two")
    check(rows_of(result.stdout), expected)


ODD = ('a / "b", c', "naïve: | 50%\t#1", "null")


def test_classes_of_any_name_go_from_a_table_to_columns_of_predictions(tmp_path):
    rows = [(text, ODD[number % 3]) for number, text in enumerate(f"{text} {n}" for n in range(6) for text in TEXTS)]
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    source = {"kind": "files", "train": "in.csv", "text": "text", "label": "label"}
    sizes = {f"n_{split}": 12 for split in ("train", "validation", "confirmation", "test")}
    spec = SampleSpec.model_validate_json(json.dumps({"source": source, "max_train_frac": 1, **sizes}))
    prepare_sample("odd", spec, tmp_path / "odd", tmp_path)
    names = load_sample(tmp_path / "odd").card.label_names
    assert set(names) == set(ODD)

    encoder = load_encoder(save_tiny(tmp_path / "encoder"), 3)
    classifier = Classifier(encoder, names, 12, "first", "fp32")
    logits = classifier.logits(TEXTS)
    facts = {"scheme": "baseline", "recipe": tiny_recipe(), "encoder": encoder.identity, "sample": "0", "fit": "a"}
    calibration = calibration_of(1.0, logits, [0, 1, 2, 0] * 2, "test")
    folder = tmp_path / "models" / "tiny"
    write_folder(folder, classifier, calibration=calibration, **facts)
    config = AutoConfig.from_pretrained(folder)
    assert config.id2label == dict(enumerate(names))
    assert config.label2id == {name: index for index, name in enumerate(names)}
    (tmp_path / "new.csv").write_text(table())
    found = rows_of(predict(tmp_path, str(tmp_path / "new.csv")).stdout)
    assert list(found[0])[2:] == ["label", "probability", *(f"probability.{name}" for name in names)]
    assert [row["label"] for row in found] == [names[index] for index in logits.argmax(1)]


def test_columns_of_an_earlier_prediction_stay(root, tmp_path):
    (tmp_path / "in.csv").write_text("text,label,predicted.label\nwarm fine meal,old,older\n")
    (row,) = rows_of(predict(root, str(tmp_path / "in.csv")).stdout)
    assert (row["label"], row["predicted.label"]) == ("old", "older")
    assert row["predicted.predicted.label"] in NAMES


def test_other_names_are_as_many_as_the_classifier_was_trained_on(saved_with, tmp_path, expected):
    (tmp_path / "in.csv").write_text(table(name="review"))
    saved_with("review")
    check(rows_of(predict(tmp_path, str(tmp_path / "in.csv")).stdout), expected)
    result = predict(tmp_path, str(tmp_path / "in.csv"), "--text", "id", "--text", "review")
    assert "--text: must be given once, but got 2 columns" in result.stderr
    saved_with(("one", "other"))
    result = predict(tmp_path, str(tmp_path / "in.csv"), "--text", "review")
    assert "--text: must be given twice for the texts of a pair, but got 1 columns" in result.stderr
