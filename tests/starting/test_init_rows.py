"""`finetune-alf init`: which rows and classes of a table it takes, and what it says about the others."""

import json
import math
import shlex
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from init_tables import init, reviews, write_csv

from finetune_alf.cli.entry import group
from finetune_alf.experiments.registry import load_params
from tiny import BAD, GOOD


def test_repeated_texts_and_rows_in_no_split_are_told_with_the_reason(tmp_path: Path, tiny: str) -> None:
    rows = [*reviews(241), reviews(2)[0]]
    write_csv(tmp_path / "reviews.csv", rows)
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    lines = dict(line.split(": ", 1) for line in told.stdout.splitlines())
    assert lines["repeated texts"] == "1 row left out, each text is taken once, with its first label"
    assert lines["sizes"].endswith("(241 different texts, 1 of them in no split)")
    assert lines["in no split"].startswith("1 of larger classes, since an even draw takes as many of each class")


def test_rows_without_a_text_are_counted_and_left_out(tmp_path: Path, tiny: str) -> None:
    rows = reviews()
    rows[3]["Révision"] = rows[8]["Révision"] = " "
    write_csv(tmp_path / "reviews.csv", rows)
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "empty rows: left out (2 without Révision)" in told.stdout
    assert load_params(tmp_path / "params.yaml").samples["reviews"].on_empty == "drop"
    assert CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)]).exit_code == 0


def parted(row: int) -> dict[str, str]:
    """A row with a title and a body; one in ten has neither, one in nine no verdict."""
    title = "" if row % 10 == 3 or row % 4 == 0 else f"title {row}"
    body = "" if row % 10 == 3 else f"{BAD[0] if row % 2 else GOOD[0]} {row}"
    return {"title": title, "body": body, "verdict": "" if row % 9 == 0 else "np"[row % 2]}


def flagged(row: int) -> dict[str, str]:
    """A row with two classes of its own columns; one in ten lacks one of them."""
    return {"body": f"{GOOD[row % 4]} {row}", "rude": "" if row % 10 == 3 else f"{row % 2}", "late": f"{row % 3 // 2}"}


@pytest.mark.parametrize(
    ("make", "words", "line"),
    [
        (
            parted,
            ["--text", "title", "--text", "body", "--join", "--label", "verdict"],
            "empty rows: left out (14 without verdict, 25 rows in all)",
        ),
        (flagged, ["--label", "rude", "--label", "late"], "empty rows: left out (12 without rude)"),
    ],
)
def test_whatever_row_init_leaves_out_prepare_does_too(
    tmp_path: Path, tiny: str, make: Callable[[int], dict[str, str]], words: list[str], line: str
) -> None:
    write_csv(tmp_path / "reviews.csv", [make(row) for row in range(120)])
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny, *words)
    assert told.exit_code == 0, told.stderr
    assert line in told.stdout.splitlines()
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr


def test_nan_in_a_table_of_arrow_is_an_empty_cell(tmp_path: Path, tiny: str) -> None:
    labels = [math.nan if row % 10 == 3 else float(row % 2) for row in range(120)]
    table = pa.table({"text": [f"{GOOD[row % 4]} {row}" for row in range(120)], "label": labels})
    pq.write_table(table, tmp_path / "t.parquet")
    told = init(tmp_path, str(tmp_path / "t.parquet"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "empty rows: left out (12 without label)" in told.stdout.splitlines()
    assert "task: classes (2 different whole numbers)" in told.stdout.splitlines()
    assert CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)]).exit_code == 0


def test_an_empty_cell_of_classes_is_no_empty_row_but_a_missing_one_is(tmp_path: Path, tiny: str) -> None:
    names = ["a|b", "b|c", "a", "c", "", None, "b", "a|c"]
    rows = [{"text": f"{GOOD[row % 4]} {row}", "tags": names[row % 8]} for row in range(200)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = init(tmp_path, str(tmp_path / "t.jsonl"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "task: several classes a text (a text can have any number of them)" in told.stdout.splitlines()
    assert "empty rows: left out (25 without tags)" in told.stdout.splitlines()
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr
    assert "25 have no text or label" in prepared.stdout


def test_classes_of_a_few_rows_are_left_out_and_likely_mistakes_named(tmp_path: Path, tiny: str) -> None:
    rows = reviews()
    for row, verdict in zip(rows, ["odd", "odd", *["Höflich"] * 6], strict=False):
        row["verdict"] = verdict
    write_csv(tmp_path / "reviews.csv", rows)
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "left out: odd 2 (too few rows to learn and to test)" in told.stdout
    assert any(line.startswith("note: The classes ") and "Höflich" in line for line in told.stdout.splitlines())
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr
    card = json.loads((tmp_path / "data/samples/reviews/card.json").read_text())
    assert sorted(card["label_names"]) == ["Höflich", "höflich", "no: bad"]


def test_classes_that_are_numbers_or_have_commas_are_told_from_their_counts(tmp_path: Path, tiny: str) -> None:
    grades = ("1", "2", "so, so", "good")
    rows = [{"text": f"{row['Révision']} {index}", "grade": grades[index % 4]} for index, row in enumerate(reviews())]
    write_csv(tmp_path / "grades.csv", rows)
    told = init(tmp_path, str(tmp_path / "grades.csv"), "--encoder", tiny)
    assert "classes: '1' 30, '2' 30, good 30, 'so, so' 30;" in told.output


@pytest.mark.parametrize(
    ("labels", "kept", "balance"),
    [(("-1", "0", "1"), {"0", "1"}, "even"), (("pos", "POS", "neg"), {"POS", "neg"}, "natural")],
)
def test_the_labels_that_a_note_names_apply_before_sizes_and_balance_are_guessed(
    tmp_path: Path, tiny: str, labels: tuple[str, ...], kept: set[str], balance: str
) -> None:
    write_csv(tmp_path / "a.csv", [row | {"verdict": labels[at % 3]} for at, row in enumerate(reviews(300))])
    words = [str(tmp_path / "a.csv"), "--encoder", tiny]
    told = init(tmp_path, *words)
    assert told.exit_code == 0, told.stderr
    (note,) = (line for line in told.stdout.splitlines() if line.startswith("note: The class"))
    again = init(tmp_path, *words, *shlex.split(note.partition("run this again with ")[2].rstrip(".")))
    assert again.exit_code == 0, again.stderr
    assert "note: " not in again.stdout
    prepared = CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)])
    assert prepared.exit_code == 0, prepared.stderr
    assert load_params(tmp_path / "params.yaml").samples["a"].balance == balance
    assert set(json.loads((tmp_path / "data/samples/a/card.json").read_text())["label_names"]) == kept


def test_labels_that_no_sample_could_have_are_refused(tmp_path: Path, tiny: str) -> None:
    write_csv(tmp_path / "a.csv", reviews())
    for given, fault in (
        ("{drop: [nobody]}", "labels.drop: must name labels of the source ('höflich', 'no: bad'), but got 'nobody'"),
        ("{skip: [1]}", "labels: must be as in a sample, such as {drop: [-1]}"),
        ("[-1]", "--labels"),
    ):
        told = init(tmp_path, str(tmp_path / "a.csv"), "--encoder", tiny, "--labels", given)
        assert told.exit_code == 3
        assert fault in told.stderr


def test_labels_of_a_table_of_scores_are_refused_with_the_option(tmp_path: Path) -> None:
    rows = [{"text": f"{row} {GOOD[0]}", "label": str(row % 30 - 1)} for row in range(90)]
    write_csv(tmp_path / "a.csv", rows)
    told = init(tmp_path, str(tmp_path / "a.csv"), "--labels", "{drop: [-1]}", "--json")
    assert json.loads(told.stdout)["error"]["option"] == "--labels"
    assert "labels: must be left out where labels are scores" in told.stderr
    assert "column 'label' has 30 different whole numbers, more than 20. Leave it out" in told.stderr


def test_too_few_rows_are_told_without_advice_about_their_classes(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [{"text": f"{row} {GOOD[0]}", "label": "abcd"[row % 4]} for row in range(20)])
    told = init(tmp_path, str(tmp_path / "a.csv"))
    assert "rows: must be at least 40 different texts with labels, but got 20" in told.stderr
    assert "--labels" not in told.output


def test_uneven_classes_weigh_the_same_in_the_loss(tmp_path: Path, tiny: str) -> None:
    rows = [row for index, row in enumerate(reviews(240)) if index % 2 or index % 6 == 0]
    write_csv(tmp_path / "reviews.csv", rows)
    told = init(tmp_path, str(tmp_path / "reviews.csv"), "--encoder", tiny)
    assert told.exit_code == 0, told.stderr
    assert "note: 8 of the 32 texts to choose by are of class" in told.output
    params = load_params(tmp_path / "params.yaml")
    (study,) = params.studies.values()
    assert (study.metric, study.recipe.class_weights) == ("balanced_accuracy", "balanced")
    assert params.samples["reviews"].balance == "natural"

    def prepared() -> str:
        return CliRunner().invoke(group, ["prepare", "--root", str(tmp_path)]).stdout

    assert "uneven" not in prepared()  # nothing is left to set
    written = (tmp_path / "params.yaml").read_text().replace("class_weights: balanced", "class_weights: null")
    (tmp_path / "params.yaml").write_text(written)
    assert "set `class_weights: balanced` of the recipe" in prepared()
