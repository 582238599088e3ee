"""Real data sets, where the folder ALF_DATA has them."""

import csv
import os
from pathlib import Path

import pytest

from finetune_alf.data.files_source import FileRows
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.sample import load_sample
from finetune_alf.data.source_spec import FilesSource
from finetune_alf.data.spec import SampleSpec

SETS = {
    "imdb": ("parquet", ("validation", "test"), "text"),
    "sst2": ("csv", ("validation", "test"), "text"),
    "yelp": ("jsonl", ("test",), "text"),
    "amazon": ("csv", ("test",), "text"),
    "cola": ("csv", ("validation",), "sentence"),
    "rte": ("csv", ("validation",), ("sentence1", "sentence2")),
}


def source_of(name: str) -> FilesSource:
    folder = os.environ.get("ALF_DATA", "")
    if not (Path(folder) / name).is_dir() or not folder:
        pytest.skip(f"ALF_DATA names no folder with {name}")
    extension, others, text = SETS[name]
    paths = {split: f"${{ALF_DATA}}/{name}/{split}.{extension}" for split in ("train", *others)}
    return FilesSource(text=text, label="label", **paths)


@pytest.mark.parametrize("name", SETS)
def test_a_sample_of_a_real_data_set_round_trips(name: str, tmp_path: Path) -> None:
    spec = SampleSpec(source=source_of(name), n_train=192, n_validation=192, n_confirmation=96, n_test=500, seed=1)
    card = prepare_sample(name, spec, tmp_path / name)
    splits = load_sample(tmp_path / name).splits
    assert [len(split.labels) for split in splits.values()] == [192, 192, 96, 500]
    for split in ("train", "validation", "confirmation"):
        assert len(set(card.counts[split].values())) == 1
    texts = [text for split in splits.values() for text in split.texts]
    assert len(set(texts)) == len(texts)
    assert all(isinstance(text, tuple) == (name == "rte") for text in texts)


def test_every_row_of_sst2_is_read_exactly() -> None:
    train = FileRows(source_of("sst2"), Path()).rows().splits["train"]
    with (Path(os.environ["ALF_DATA"]) / "sst2" / "train.csv").open(encoding="utf-8", newline="") as file:
        spelled = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    assert list(zip(train.texts, train.labels, strict=True)) == spelled


def test_the_test_split_of_yelp_keeps_the_fraction_of_positive_reviews(tmp_path: Path) -> None:
    source = source_of("yelp")
    spec = SampleSpec(source=source, n_train=64, n_validation=0, n_confirmation=0, n_test=1000)
    counts = prepare_sample("yelp", spec, tmp_path / "yelp").counts["test"]
    labels = FileRows(source, Path()).rows().splits["test"].labels
    assert counts["positive"] / 1000 == pytest.approx(labels.count("positive") / len(labels), abs=0.002)
