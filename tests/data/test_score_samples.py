"""Samples of regression tasks: labels are read, drawn and stored as numbers."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_rows import MemoryRows
from pydantic import ValidationError

from finetune_alf.data.hub_source import HubData, HubRows
from finetune_alf.data.prepare import draw_sample, prepare_sample
from finetune_alf.data.rows import label_score
from finetune_alf.data.sample import Sample, load_sample, save_sample
from finetune_alf.data.source_spec import FilesSource, HubSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError, RowPlace

COUNTS = {"n_train": 20, "n_validation": 10, "n_confirmation": 5, "n_test": 15}
HERE = RowPlace("here", 1)
PAIRS = [((f"one {number}", f"another {number}"), number % 11 / 2) for number in range(60)]


def spec_of(source: object, **more: object) -> SampleSpec:
    return SampleSpec(source=source, problem_type="regression", **{"max_train_frac": 1, **COUNTS, **more})


def files(path: Path, **more: object) -> SampleSpec:
    return spec_of(FilesSource(train=str(path), text="text", label="score"), **more)


def drawn(rows: list[tuple[object, float]] = PAIRS, **more: object) -> Sample:
    spec = spec_of(FilesSource(train="a.csv", text=("a", "b"), label="score"), **more)
    return draw_sample("sts", spec, MemoryRows({"train": rows}, "regression").rows())


def test_scores_round_trip(tmp_path: Path) -> None:
    sample = drawn()
    save_sample(tmp_path / "sts", sample)
    assert load_sample(tmp_path / "sts") == sample
    assert sample.card.label_names == ()
    assert sample.card.counts == {
        "train": {"rows": 20},
        "validation": {"rows": 10},
        "confirmation": {"rows": 5},
        "test": {"rows": 15},
    }
    assert pq.read_schema(tmp_path / "sts" / "train.parquet").field("label").type == pa.float64()
    by_text = dict(PAIRS)
    for split in sample.splits.values():
        assert all(isinstance(label, float) for label in split.labels)
        assert [by_text[text] for text in split.texts] == list(split.labels)


def test_the_digest_depends_on_the_scores() -> None:
    assert drawn().card.digest == drawn().card.digest
    assert drawn([(text, score + 1e-12) for text, score in PAIRS]).card.digest != drawn().card.digest


def test_a_changed_score_is_found_when_the_sample_is_read(tmp_path: Path) -> None:
    save_sample(tmp_path / "sts", drawn())
    columns = pq.ParquetFile(tmp_path / "sts" / "test.parquet").read().to_pydict()
    columns["label"][0] += 0.5
    pq.write_table(pa.table(columns), tmp_path / "sts" / "test.parquet")
    with pytest.raises(DataError, match="must have the card's digest"):
        load_sample(tmp_path / "sts")


def test_a_plain_sample_is_its_own_single_task() -> None:
    sample = drawn()
    assert sample.tasks == {"sts": sample}


def written(path: Path, values: list[object]) -> Path:
    rows = [(f"text {number}", value) for number, value in enumerate(values)]
    if path.suffix == ".csv":
        path.write_text("text,score\n" + "".join(f"{text},{value}\n" for text, value in rows))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": text, "score": value}) + "\n" for text, value in rows))
    else:
        pq.write_table(pa.table({"text": [text for text, _ in rows], "score": values}), path)
    return path


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_scores_are_read_from_every_format(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path / f"a.{ending}", [number / 4 for number in range(50)])
    prepare_sample("own", files(path), tmp_path / "own")
    train = load_sample(tmp_path / "own").splits["train"]
    assert {text: float(str(text).removeprefix("text ")) / 4 for text in train.texts} == dict(
        zip(train.texts, train.labels, strict=True)
    )


@pytest.mark.parametrize("value", ["much", "nan", "inf", "1_0", "1e999", "  "])
def test_a_score_that_is_no_finite_number_is_named_by_file_and_line(tmp_path: Path, value: str) -> None:
    path = written(tmp_path / "a.csv", [1.5, 2.5, value, 3])
    with pytest.raises(DataError, match=rf"a\.csv:4: the label must be a finite number, but got '{value}'"):
        prepare_sample("own", files(path), tmp_path / "own")


def with_commas(path: Path, values: list[str], **settings: object) -> SampleSpec:
    path.write_text("\n".join(["text;score", *(f"text {index};{value}" for index, value in enumerate(values))]))
    return spec_of(FilesSource(train=str(path), text="text", label="score", **settings))


def test_scores_with_a_decimal_comma_are_read_where_the_source_says_so(tmp_path: Path) -> None:
    values = [str(number / 4).replace(".", ",") for number in range(49)] + ["-7", " 0,5 "]
    prepare_sample("own", with_commas(tmp_path / "a.csv", values, decimal=","), tmp_path / "own")
    train = load_sample(tmp_path / "own").splits["train"]
    expected = [*(number / 4 for number in range(49)), -7.0, 0.5]
    assert all(
        label == expected[int(str(text).removeprefix("text "))]
        for text, label in zip(train.texts, train.labels, strict=True)
    )


def test_the_other_decimal_mark_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv:3: .* finite number, but got '3,5'\. Set `decimal: ','`"):
        prepare_sample("own", with_commas(tmp_path / "a.csv", ["1", "3,5"]), tmp_path / "own")
    with pytest.raises(DataError, match=r"a\.csv:3: .* finite number with a decimal comma, but got '3\.5'\. Correct"):
        prepare_sample("own", with_commas(tmp_path / "a.csv", ["1,5", "3.5"], decimal=","), tmp_path / "own")


def test_booleans_and_null_are_no_scores(tmp_path: Path) -> None:
    for value in (True, None, [1]):
        path = written(tmp_path / "a.jsonl", [1.5, value])
        with pytest.raises(DataError, match=r"a\.jsonl:2: the label must be a finite number"):
            prepare_sample("own", files(path), tmp_path / "own")


def test_a_text_column_of_numbers_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [0.5, 1.5], "score": [0.5, 1.5]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"strings or integers in the column 'text', but got double"):
        prepare_sample("own", files(tmp_path / "a.parquet"), tmp_path / "own")


def test_equal_scores_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", [2.5] * 60)
    with pytest.raises(DataError, match=r"a\.csv: must have at least two different scores, but got only 2\.5"):
        prepare_sample("own", files(path), tmp_path / "own")


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15))
def test_a_score_can_be_a_number_or_its_text(value: float) -> None:
    assert label_score(value, HERE, "label") == label_score(repr(value), HERE, "label") == float(value)


def test_the_hubs_scores_are_read_and_an_unlabelled_split_is_left_out() -> None:
    def split(scores: list[float]) -> datasets.Dataset:
        return datasets.Dataset.from_dict({"a": [f"t{score}" for score in scores], "score": scores})

    spec = HubSource(name="acme/sts", revision="main", text="a", label="score")
    given_splits = {"train": split([0.5, 3.0]), "validation": split([2.5]), "test": split([-1.0, -1.0])}
    rows = HubRows(spec, lambda _: HubData(given_splits, "c"), "regression").rows()
    assert {name: one.scores for name, one in rows.splits.items()} == {"train": [0.5, 3.0], "validation": [2.5]}


def test_sources_of_classes_are_refused_for_regression() -> None:
    with pytest.raises(ValidationError, match="problem_type: must be classification for this source"):
        SampleSpec.model_validate_json(
            json.dumps({"source": {"kind": "mini", "domain": "films"}, "problem_type": "regression", **COUNTS})
        )


def test_all_rows_can_be_drawn_for_regression() -> None:
    sample = drawn(n_train="all", n_test=12)
    assert {split: part["rows"] for split, part in sample.card.counts.items()} == {
        "train": 60 - 10 - 5 - 12,
        "validation": 10,
        "confirmation": 5,
        "test": 12,
    }
