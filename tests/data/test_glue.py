"""GLUE tasks: from the hub, or from a folder of files with other names."""

import csv
import gzip
import json
import os
from pathlib import Path
from typing import get_args

import datasets
import pytest
from pydantic import ValidationError

from finetune_alf.data import glue_source
from finetune_alf.data.glue import GLUE, REPOSITORY, REVISION, GlueName
from finetune_alf.data.glue_source import GlueRows, hub_spec
from finetune_alf.data.hub_source import HubData, HubRows
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.sample import load_sample
from finetune_alf.data.source import open_source
from finetune_alf.data.source_spec import GlueSource, HubSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.metric_names import PROBLEM_TYPES

COUNTS = {"n_train": 8, "n_validation": 6, "n_confirmation": 4, "n_test": 4, "max_train_frac": 1}


def test_columns_classes_and_metrics_of_every_task_agree() -> None:
    assert tuple(GLUE) == get_args(GlueName)
    for task in GLUE.values():
        assert len(task.label_names) != 1
        assert {PROBLEM_TYPES[metric] for metric in task.metrics} == {(task.problem_type,)}
    assert [name for name, task in GLUE.items() if task.problem_type == "regression"] == ["stsb"]
    assert {name: task.metrics for name, task in GLUE.items() if task.metrics != ("accuracy",)} == {
        "cola": ("matthews",),
        "mrpc": ("f1", "accuracy"),
        "qqp": ("f1", "accuracy"),
        "stsb": ("pearson", "spearman"),
    }


def test_label_names_have_the_order_of_the_data_sets_on_the_hub() -> None:
    assert {name: task.label_names for name, task in GLUE.items()} == {
        "cola": ("unacceptable", "acceptable"),
        "sst2": ("negative", "positive"),
        "mrpc": ("not_equivalent", "equivalent"),
        "qqp": ("not_duplicate", "duplicate"),
        "stsb": (),
        "mnli": ("entailment", "neutral", "contradiction"),
        "qnli": ("entailment", "not_entailment"),
        "rte": ("entailment", "not_entailment"),
        "wnli": ("not_entailment", "entailment"),
    }


def test_f1_is_that_of_the_second_class() -> None:
    assert GLUE["mrpc"].label_names[1] == "equivalent"
    assert GLUE["qqp"].label_names[1] == "duplicate"


@pytest.mark.parametrize("name", GLUE)
def test_a_task_on_the_hub_is_its_labelled_splits_at_the_pinned_commit(name: str) -> None:
    spec = hub_spec(GlueSource(task=name))
    assert (spec.name, spec.config, spec.revision) == (REPOSITORY, name, REVISION)
    assert spec.text == GLUE[name].text
    validation = "validation_matched" if name == "mnli" else "validation"
    assert spec.splits == {"train": "train", "validation": validation}


def dataset(name: str, n: int, *, unlabelled: bool = False) -> datasets.Dataset:
    task = GLUE[name]
    columns = (task.text,) if isinstance(task.text, str) else task.text
    scores = datasets.Value("float32")
    label = datasets.ClassLabel(names=list(task.label_names)) if task.label_names else scores
    values = [-1 if unlabelled else index % (len(task.label_names) or 11) for index in range(n)]
    rows = {column: [f"{column} {index} of {n}" for index in range(n)] for column in columns}
    features = {**dict.fromkeys(columns, datasets.Value("string")), "label": label, "idx": datasets.Value("int32")}
    return datasets.Dataset.from_dict(rows | {"label": values, "idx": range(n)}, datasets.Features(features))


@pytest.mark.parametrize("name", GLUE)
def test_a_task_of_the_hub_has_glues_label_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = GLUE[name]
    splits = {"train": dataset(name, 60), task.validation: dataset(name, 33), "test": dataset(name, 9, unlabelled=True)}

    def hub_rows(spec: HubSource, problem_type: str, on_empty: str) -> HubRows:
        return HubRows(spec, lambda _: HubData(splits, spec.revision), problem_type, on_empty)

    monkeypatch.setattr(glue_source, "HubRows", hub_rows)  # the same rows in memory, without a network
    card = prepare_sample(name, SampleSpec(source=GlueSource(task=name), **COUNTS), tmp_path / name)
    assert card.label_names == task.label_names
    assert card.revision == REVISION
    assert card.drawn_from == {
        "train": "train",
        "validation": "validation",
        "confirmation": "validation",
        "test": "validation",
    }
    assert load_sample(tmp_path / name).card == card


def folder_of(path: Path, rows: list[tuple[str, ...]], *header: str, split: str = "train") -> Path:
    path.mkdir(exist_ok=True)
    with (path / f"{split}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def pairs(*labels: str) -> list[tuple[str, ...]]:
    return [(f"one {number}", f"other {number}", labels[number % len(labels)]) for number in range(40)]


@pytest.mark.parametrize("labels", [("equivalent", "not_equivalent"), ("0", "1")])
def test_files_can_have_label_names_or_indices(tmp_path: Path, labels: tuple[str, ...]) -> None:
    folder_of(tmp_path / "mrpc", pairs(*labels), "sentence1", "sentence2", "label")
    rows = GlueRows(GlueSource(task="mrpc", files="mrpc"), tmp_path).rows()
    assert rows.label_names == ("not_equivalent", "equivalent")
    assert rows.splits["train"].labels[0] == ("equivalent" if labels[0] == "equivalent" else "not_equivalent")


def test_files_can_have_other_column_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTS", str(tmp_path))
    folder_of(tmp_path / "quora", pairs("0", "1"), "q1", "q2", "same")
    spec = GlueSource(task="qqp", files="${TEXTS}/quora", text=("q1", "q2"), label="same")
    card = prepare_sample("qqp", SampleSpec(source=spec, **COUNTS), tmp_path / "qqp")
    assert card.label_names == ("not_duplicate", "duplicate")
    assert str(tmp_path) not in (tmp_path / "qqp" / "card.json").read_text()


def test_files_are_read_in_the_format_that_is_named(tmp_path: Path) -> None:
    lines = "".join(f"{label};un été {number};'n \"autre\n" for number, (*_, label) in enumerate(pairs("0", "1")))
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(lines.encode("latin-1")))
    spec = {"kind": "glue", "task": "rte", "files": ".", "text": ["a", "b"], "label": "same"}
    form = {"columns": ["same", "a", "b"], "delimiter": ";", "encoding": "latin-1", "quoting": "none"}
    rows = GlueRows(GlueSource.model_validate_json(json.dumps(spec | form)), tmp_path).rows()
    assert rows.splits["train"].texts[3] == ("un été 3", "'n \"autre")
    with pytest.raises(ValidationError, match="columns: must be absent without files"):
        GlueSource.model_validate_json(json.dumps({"kind": "glue", "task": "rte"} | form))


def test_a_regression_task_sets_the_problem_type(tmp_path: Path) -> None:
    folder_of(
        tmp_path / "sts", [(f"a {n}", f"b {n}", str(n / 8)) for n in range(40)], "sentence1", "sentence2", "score"
    )
    spec = SampleSpec(source=GlueSource(task="stsb", files="sts", label="score"), **COUNTS)
    assert spec.problem_type == "regression"
    assert SampleSpec.model_validate_json(spec.model_dump_json()) == spec
    card = prepare_sample("sts", spec, tmp_path / "out", tmp_path)
    assert (card.label_names, card.counts["train"]) == ((), {"rows": 8})


def test_a_test_file_is_used_if_there_is_one(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "rte", pairs("0", "1"), "sentence1", "sentence2", "label")
    more = [(f"{first}!", second, label) for first, second, label in pairs("0", "1")]
    folder_of(folder, more, "sentence1", "sentence2", "label", split="test")
    assert set(GlueRows(GlueSource(task="rte", files=str(folder)), tmp_path).rows().splits) == {"train", "test"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            ("1", "2"),
            r"train\.csv:3: the label must be one of 'entailment', 'not_entailment', or its index from 0, ",
        ),
        (("entailment", "unsure"), r"but got 'unsure'\. Set `label` of this source"),
    ],
)
def test_an_unknown_label_is_named_by_file_and_line(tmp_path: Path, labels: tuple[str, ...], message: str) -> None:
    folder_of(tmp_path / "rte", pairs(*labels), "sentence1", "sentence2", "label")
    with pytest.raises(DataError, match=message):
        GlueRows(GlueSource(task="rte", files="rte"), tmp_path).rows()


def test_a_folder_without_a_train_file_or_with_two_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rte: must contain the file train, with one of the extensions \.csv, "):
        GlueRows(GlueSource(task="rte", files="rte"), tmp_path).rows()
    folder_of(tmp_path / "rte", pairs("0", "1"), "sentence1", "sentence2", "label")
    (tmp_path / "rte" / "train.tsv").write_text("")
    with pytest.raises(DataError, match=r"rte: must have one file train, but got train\.csv and train\.tsv"):
        GlueRows(GlueSource(task="rte", files="rte"), tmp_path).rows()


def test_an_invalid_spec_is_refused() -> None:
    with pytest.raises(ValidationError, match="text: must name two columns for rte, but got 'a'"):
        GlueSource(task="rte", text="a")
    with pytest.raises(ValidationError, match="problem_type: must be regression for this source"):
        SampleSpec(source=GlueSource(task="stsb"), problem_type="classification", **COUNTS)
    with pytest.raises(ValidationError, match="'cola', 'sst2'"):
        GlueSource(task="squad")


def test_the_spec_opens_its_own_source(tmp_path: Path) -> None:
    assert open_source(GlueSource(task="rte"), tmp_path) == GlueRows(GlueSource(task="rte"), tmp_path)


REAL = {"cola": {}, "sst2": {"text": "text"}, "mrpc": {}, "rte": {}, "stsb": {"label": "score"}}


@pytest.mark.parametrize("name", REAL)
def test_a_real_task_is_drawn_from_its_files(name: str, tmp_path: Path) -> None:
    folder = os.environ.get("ALF_DATA", "")
    if not folder or not (Path(folder) / name).is_dir():
        pytest.skip(f"ALF_DATA names no folder with {name}")
    source = GlueSource(task=name, files=f"${{ALF_DATA}}/{name}", **REAL[name])
    numbers = {"n_train": "all", "n_validation": 80, "n_confirmation": 80, "n_test": 100}
    spec = SampleSpec(source=source, balance="natural", max_train_frac=1, **numbers)
    card = prepare_sample(name, spec, tmp_path / name)
    assert card.label_names == GLUE[name].label_names
    given = card.n_source_rows - sum(card.duplicates_dropped.values())
    assert sum(card.counts["train"].values()) > 0.4 * given
