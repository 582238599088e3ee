"""`finetune-alf predict`: tables in, labelled tables out, whatever their format, chunk by chunk."""

import csv
import io
import json

import pytest
import torch
from click.testing import CliRunner

from finetune_alf.classifier.calibration import calibration_of
from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.folder import load_classifier, write_folder
from finetune_alf.classifier.labelling import labelled_rows
from finetune_alf.cli.entry import group
from finetune_alf.data.table import open_table
from finetune_alf.encoder.load import load_encoder
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
    assert "8 rows, in" in result.stderr


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


def test_chunks_are_read_one_at_a_time_and_change_nothing(root, tmp_path, expected):
    (tmp_path / "in.csv").write_text(table())
    classifier, source = load_classifier(root / "models" / "tiny"), open_table(tmp_path / "in.csv", ("text",), "")
    chunks = list(labelled_rows(classifier, source, ("text",), chunk=3))
    assert [len(chunk) for chunk in chunks] == [3, 3, 2]
    assert [row[2] for chunk in chunks for row in chunk] == [name for name, _ in expected]
    (tmp_path / "in.csv").write_text(table() + "8,one,too many\n")
    first = next(labelled_rows(classifier, source, ("text",), chunk=3))
    assert len(first) == 3  # the bad row below is not reached yet


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: no such file"),
        (["in.csv", "--text", "body"], "Name the column of the text by --text."),
        (["in.csv", *("--text", "id") * 3], "--text: must be given once, or twice"),
    ],
)
def test_what_is_not_there_is_named(root, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text(table())
    result = predict(root, *words)
    assert result.exit_code == 3
    assert message in result.stderr


def test_a_study_without_a_classifier_is_told_to_fit_one(tmp_path):
    (tmp_path / "in.csv").write_text(table())
    result = predict(tmp_path, str(tmp_path / "in.csv"))
    assert result.exit_code == 3
    assert "Run `finetune-alf fit tiny" in result.stderr
