"""Classes of a source: numbers, spellings, unlabelled and rare ones, and the setting `labels`."""

import json
import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_rows import MemoryRows
from pydantic import ValidationError
from ruamel.yaml import YAML

from finetune_alf.data.description import uneven_classes
from finetune_alf.data.label_warnings import label_warnings
from finetune_alf.data.labels import apply_labels, class_counts
from finetune_alf.data.prepare import draw_sample, prepare_sample
from finetune_alf.data.rows import SourceRows
from finetune_alf.data.sample import Sample
from finetune_alf.data.spec import LabelsSpec, SampleSpec
from finetune_alf.errors import DataError

COUNTS = {"n_train": 4, "n_validation": 0, "n_confirmation": 0, "n_test": 0, "max_train_frac": 1}


def rows_of(counts: dict[str, int], **others: dict[str, int]) -> SourceRows:
    def split(name: str, own: dict[str, int]) -> list[tuple[str, str]]:
        return [(f"{name} {label!r} {number}", label) for label, n in own.items() for number in range(n)]

    return MemoryRows({name: split(name, own) for name, own in {"train": counts, **others}.items()}).rows()


def prepared(path: Path, **settings: object) -> Sample:
    source = {"kind": "files", "train": path.name, "text": "text", "label": "label"}
    spec = SampleSpec.model_validate_json(json.dumps({"source": source, **COUNTS, **settings}))
    lines: list[str] = []
    card = prepare_sample("own", spec, path.parent / "own", path.parent, log=lines.append)
    return Sample("\n".join(lines), card, {})


def written(path: Path, labels: list[object]) -> Path:
    rows = [(f"text {number}", label) for number, label in enumerate(labels)]
    if path.suffix == ".csv":
        path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    else:
        pq.write_table(pa.table({"text": [text for text, _ in rows], "label": labels}), path)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_integers_written_as_floats_are_integers_in_every_format(tmp_path: Path, name: str) -> None:
    assert prepared(written(tmp_path / name, [1.0, 0.0, 1.0, 0.0, 10.0])).card.label_names == ("0", "1", "10")


def test_an_integer_and_the_same_as_float_are_one_class(tmp_path: Path) -> None:
    assert prepared(written(tmp_path / "a.csv", ["0", "0.0", "1", "1.00"])).card.label_names == ("0", "1")


def test_versions_and_names_with_a_point_stay_as_they_are(tmp_path: Path) -> None:
    assert prepared(written(tmp_path / "a.csv", ["1.0", "1.1", "2.0", "1.0"])).card.label_names == ("1.0", "1.1", "2.0")


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_fraction_as_label_names_regression(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"but got 0\.5\. Set `problem_type: regression`"):
        prepared(written(tmp_path / name, [0.5, 1.0]))


@pytest.mark.parametrize(
    ("names", "difference", "joined"),
    [
        (("pos", "POS"), "in case or space", '{"POS": "pos"}'),
        (("pos", "pos "), "in case or space", '{"pos ": "pos"}'),
        (("True", "TRUE"), "in case or space", '{"TRUE": "True"}'),
        (("\u00e9t\u00e9", "e\u0301te\u0301"), r"in the encoding of accents \(NFC and NFD\)", r'"e\\u0301te\\u0301"'),
        (("pos", "pos\u200b"), "in characters that are not seen", r'"pos\u200b"'),
        (("pos", "ｐｏｓ"), "in the form of characters (such as full-width letters)", '"ｐｏｓ"'),
        (("pos", "pos\u00a0"), "in case or space", r'"pos\u00a0"'),
        (("0", "0.0"), "in how a number is written", '{"0.0": "0"}'),
    ],
)
def test_names_that_look_like_one_class_are_a_warning(names: tuple[str, str], difference: str, joined: str) -> None:
    (text,) = label_warnings({names[0]: 30, names[1]: 20, "other": 50})
    assert f"{names[0]!r} (30 rows), {names[1]!r} (20)" in text
    assert joined.replace("\\\\", "\\") in text
    assert difference.replace("\\(", "(").replace("\\)", ")") in text


def test_the_mapping_of_a_warning_makes_one_class_of_them(caplog: pytest.LogCaptureFixture) -> None:
    rows = rows_of({"pos": 20, "POS": 12, "pos ": 11, "neg": 20})
    spec = SampleSpec.model_validate_json(json.dumps({"source": {"kind": "mini", "domain": "films"}, **COUNTS}))
    with caplog.at_level(logging.WARNING):
        assert draw_sample("own", spec, rows).card.n_classes == 4
    (record,) = caplog.records
    mapping = record.getMessage().partition("{map: ")[2].partition("}`")[0]
    joined = apply_labels(rows, LabelsSpec(map=json.loads(mapping))).rows
    assert class_counts(joined) == {"neg": 20, "pos": 43}


def test_minus_one_beside_0_and_1_is_a_warning_and_can_be_left_out() -> None:
    counts = {"-1": 30, "0": 20, "1": 20}
    (text,) = label_warnings(counts)
    assert text.startswith("The class '-1' (30 rows) may mark rows without a label.")
    assert "`labels: {drop: [-1]}`" in text
    spec = LabelsSpec.model_validate_json('{"drop": [-1]}')
    left = apply_labels(rows_of(counts), spec)
    assert left.rows.label_names == ("0", "1")
    assert left.n_left_out == {"-1": 30}


@pytest.mark.parametrize("counts", [{"-1": 30, "1": 20}, {"-2": 20, "-1": 30, "0": 20, "1": 20}, {"0": 30, "1": 20}])
def test_minus_one_may_be_a_class_where_numbers_other_than_0_and_1_are_beside_it(counts: dict[str, int]) -> None:
    assert list(label_warnings(counts)) == []


@pytest.mark.parametrize("name", ["-1", "-1.0", "none", "NaN", "NULL", "n/a", "#N/A", "Unlabelled", "not_labeled", "?"])
def test_what_marks_a_missing_label_beside_names_is_a_warning_and_its_setting_leaves_it_out(name: str) -> None:
    counts = {"good": 40, "bad": 30, name: 20}
    (text,) = label_warnings(counts)
    assert text.startswith(f"The class '{name}' (20 rows) may mark rows without a label.")
    drop = YAML(typ="safe").load(text.partition("`labels: ")[2].partition("`")[0])
    left = apply_labels(rows_of(counts), LabelsSpec.model_validate(drop))
    assert (left.rows.label_names, left.n_left_out) == (("bad", "good"), {name: 20})


def test_several_marks_are_one_warning_and_one_of_two_classes_is_none() -> None:
    (text,) = label_warnings({"good": 40, "bad": 30, "none": 20, "-1": 10})
    assert text.startswith("The classes 'none' (20 rows), '-1' (10) may mark rows without a label.")
    assert '`labels: {drop: ["none", -1]}`' in text
    assert list(label_warnings({"toxic": 40, "none": 30})) == []


def test_an_unlabelled_test_split_names_the_way_out_and_is_left_out() -> None:
    rows = rows_of({"0": 20, "1": 20}, test={"-1": 30})
    with pytest.raises(DataError, match=r"test row 1: must have a label of train .* `labels: \{drop: \[-1\]\}`"):
        apply_labels(rows, LabelsSpec())
    assert list(apply_labels(rows, LabelsSpec(drop=("-1",))).rows.splits) == ["train"]
    with pytest.raises(DataError, match=r"Rows with n/a are often unlabelled: .* `labels: \{drop: \[\"n/a\"\]\}`"):
        apply_labels(rows_of({"good": 20, "bad": 20}, test={"n/a": 30}), LabelsSpec())


def test_rare_classes_are_a_warning_with_counts_and_can_be_left_out() -> None:
    counts = {"often": 30, "rare": 9, "once": 1, "ten": 10}
    (text,) = label_warnings(counts)
    assert text.startswith("2 classes have fewer than 10 rows: 'rare' (9 rows), 'once' (1).")
    assert apply_labels(rows_of(counts), LabelsSpec(min_rows=10)).rows.label_names == ("often", "ten")


def test_sixty_numbers_suggest_scores() -> None:
    (text,) = label_warnings({f"{number / 4}": 10 for number in range(60)})
    assert "60 different numbers" in text
    assert "`problem_type: regression`" in text
    assert list(label_warnings({f"intent {number}": 10 for number in range(60)})) == []


def test_a_class_that_is_not_in_the_source_is_named() -> None:
    rows = rows_of({"pos": 10, "neg": 10})
    with pytest.raises(DataError, match=r"labels\.map: must name labels of the source \('neg', 'pos'\), but got 'Pos'"):
        apply_labels(rows, LabelsSpec(map={"Pos": "pos"}))
    with pytest.raises(DataError, match=r"labels\.drop: must name labels of the source .* but got 'x'"):
        apply_labels(rows, LabelsSpec(drop=("x",)))
    with pytest.raises(
        DataError, match=r"labels\.drop: .* after `map` \('negative', 'pos'\), but got 'neg'\. Write .* `map`"
    ):
        apply_labels(rows, LabelsSpec(map={"neg": "negative"}, drop=("neg",)))
    with pytest.raises(DataError, match=r"train: no row is left, since `labels` leaves out 'neg', 'pos'"):
        apply_labels(rows, LabelsSpec(min_rows=11))


def test_yaml_types_name_classes() -> None:
    spec = LabelsSpec.model_validate({"map": {True: "yes", 2: "two"}, "drop": [False, -1]})
    assert spec == LabelsSpec(map={"true": "yes", "2": "two"}, drop=("false", "-1"))


def test_an_even_draw_of_a_rare_class_names_both_ways_out() -> None:
    spec = SampleSpec.model_validate_json(
        json.dumps({"source": {"kind": "mini", "domain": "films"}, **COUNTS, "n_train": 20})
    )
    rows = rows_of({"a": 50, "b": 50, "rare": 3})
    with pytest.raises(
        DataError, match=r"too few of 'rare' \(3 rows left\): set `balance: natural`, or .*\[\"rare\"\]"
    ):
        draw_sample("own", spec, rows)
    assert draw_sample("own", spec.model_copy(update={"labels": LabelsSpec(drop=("rare",))}), rows).card.n_classes == 2
    natural = draw_sample("own", spec.model_copy(update={"balance": "natural", "n_train": 40}), rows)
    assert natural.card.counts["train"]["rare"] == 1


def test_sizes_that_dropped_labels_make_too_large_are_told_with_the_reason_and_all_that_fit(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", ["good"] * 100 + ["bad"] * 100 + ["-1"] * 100)
    sizes = {"n_train": 120, "n_validation": 60, "n_confirmation": 60, "n_test": 60}
    assert prepared(path, **sizes).card.n_classes == 3
    with pytest.raises(DataError, match=r"n_confirmation: must be at most 20, .* but got 60") as told:
        prepared(path, **sizes, labels={"drop": [-1]})
    assert "Of 300 rows 200 can be drawn: `labels` leaves out 100 ('-1' 100)." in str(told.value)
    listed = str(told.value).partition("Sizes that fit together: ")[2].partition(". ")[0]
    fitting = {key: int(n) for key, n in (each.split(": ") for each in listed.split(", "))}
    assert list(fitting) == list(sizes)
    assert 190 <= sum(fitting.values()) <= 200
    assert prepared(path, **fitting, labels={"drop": [-1]}).card.n_classes == 2


def test_preparing_prints_classes_with_their_counts_and_texts_under_two_labels(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "text,label\none,tr\u00e8s bon\ntwo,bad\none,bad\nthree,bad\nfour,tr\u00e8s bon\nfour,tr\u00e8s bon\n"
    )
    lines = prepared(tmp_path / "a.csv").name.splitlines()
    drawable = "Of 6 rows 4 can be drawn: 2 repeat the text of another row."
    assert lines[0] == f"own: train 4, validation 0, confirmation 0, test 0. {drawable}"
    assert lines[1] == f"own: 1 text has more than one label; the first one counts, such as at {tmp_path / 'a.csv'}:2."
    assert [line.split()[-5:] for line in lines[2:]] == [
        ["source", "train", "validation", "confirmation", "test"],
        ["3", "2", "0", "0", "0"],
        ["3", "2", "0", "0", "0"],
    ]
    assert lines[4].startswith("  tr\u00e8s bon")


def test_uneven_classes_name_what_makes_up_for_them(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", ["so, so" if number % 3 else "très bon" for number in range(60)])
    sizes = {"n_train": 24, "n_test": 9, "max_train_frac": 1.0}
    path.write_text(path.read_text().replace(",so, so", ',"so, so"'))
    assert uneven_classes(prepared(path, **sizes).card) is None
    hint = uneven_classes(prepared(path, balance="natural", **sizes).card) or ""
    assert hint.startswith("own: classes are uneven, 16 training texts of 'so, so' and 8 of 'très bon'.")


def test_empty_rows_are_refused_together_or_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\none,a\n,b\ntwo, \nthree,b\nfour,a\nfive,b\n")
    with pytest.raises(DataError) as error:
        prepared(tmp_path / "a.csv")
    assert "2 faults" in str(error.value)
    assert "a.csv:3: must have a text" in str(error.value)
    assert "a.csv:4: the label must be" in str(error.value)
    first = prepared(tmp_path / "a.csv", on_empty="drop").name.splitlines()[0]
    assert first.endswith("Of 6 rows 4 can be drawn: 2 have no text or label.")


def test_empty_texts_of_any_source_are_left_out_and_counted() -> None:
    spec = SampleSpec.model_validate_json(
        json.dumps({"source": {"kind": "mini", "domain": "films"}, **COUNTS, "on_empty": "drop"})
    )
    rows = MemoryRows({"train": [("a", "x"), (" ", "y"), ("b", "y"), ("c", "x"), ("d", "y"), ("", "x")]}).rows()
    sample = draw_sample("own", spec, rows)
    assert sample.card.duplicates_dropped == {"train": 0}
    assert sorted(map(str, sample.splits["train"].texts)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("body", "body", "source.label: must be another column than the text, but got 'body' for both"),
        (["title", "body"], "body", "source.label: must be another column than the text"),
        (["body", "body"], "label", "source.text: must name different columns, but got 'body', 'body'"),
    ],
)
def test_one_column_is_not_text_and_label(text: object, label: str, message: str) -> None:
    source = {"kind": "files", "train": "a.csv", "text": text, "label": label}
    with pytest.raises(ValidationError, match=message):
        SampleSpec.model_validate_json(json.dumps({"source": source, **COUNTS}))


def test_scores_have_no_classes_to_join() -> None:
    source = {"kind": "files", "train": "a.csv", "text": "text", "label": "score"}
    settings = {"source": source, **COUNTS, "problem_type": "regression", "labels": {"drop": ["1"]}}
    with pytest.raises(ValidationError, match="labels: must be absent where problem_type is regression"):
        SampleSpec.model_validate_json(json.dumps(settings))
