"""The contract of every source of rows: files of each format, hub, memory, mini."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_rows import MemoryRows

from finetune_alf.data.files_source import FileRows
from finetune_alf.data.hub_source import HubData, HubRows
from finetune_alf.data.mini_source import MiniRows
from finetune_alf.data.rows import SOURCE_SPLITS
from finetune_alf.data.source import Source, open_source
from finetune_alf.data.source_spec import FilesSource, HubSource, MiniSource

Rows = list[tuple[str, str]]
TRAIN: Rows = [("null", "negative"), ("good", "positive"), ("nan, 'so' \"so\"", "negative"), ("two\nlines", "positive")]
TEST: Rows = [("fine", "positive"), ("poor", "negative")]
COMMIT = "f" * 40


def memory(folder: Path) -> Source:
    return MemoryRows({"train": TRAIN, "test": TEST})


def mini(folder: Path) -> Source:
    return MiniRows(MiniSource(domain="films"))


def files(extension: str, write: Callable[[Path, Rows], None]) -> Callable[[Path], Source]:
    def build(folder: Path) -> Source:
        write(folder / f"train.{extension}", TRAIN)
        write(folder / f"test.{extension}", TEST)
        spec = FilesSource(train=f"train.{extension}", test=f"test.{extension}", text="text", label="label")
        return FileRows(spec, folder)

    return build


def write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, "excel-tab" if path.suffix == ".tsv" else "excel").writerows([("text", "label"), *rows])


def write_jsonl(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))


def write_parquet(path: Path, rows: Rows) -> None:
    pq.write_table(pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]}), path)


def hub_rows(spec: HubSource, splits: dict[str, datasets.Dataset]) -> Source:
    return HubRows(spec, lambda _: HubData(splits, COMMIT))


def hub_in_memory(folder: Path) -> Source:
    names = datasets.ClassLabel(names=["negative", "positive"])
    features = datasets.Features({"text": datasets.Value("string"), "label": names})

    def split(rows: Rows) -> datasets.Dataset:
        columns = {"text": [text for text, _ in rows], "label": [names.str2int(label) for _, label in rows]}
        return datasets.Dataset.from_dict(columns, features)

    spec = HubSource(name="acme/reviews", revision=COMMIT, text="text", label="label")
    return hub_rows(spec, {"train": split(TRAIN), "test": split(TEST), "unsupervised": split([])})


def hub_folder(folder: Path) -> Source:
    write_parquet(folder / "train.parquet", TRAIN)
    write_parquet(folder / "test.parquet", TEST)
    spec = HubSource(name="acme/reviews", revision=COMMIT, text="text", label="label")
    return hub_rows(spec, datasets.load_dataset(str(folder), cache_dir=str(folder / "cache")))


GIVEN = {
    "memory": memory,
    "csv": files("csv", write_csv),
    "tsv": files("tsv", write_csv),
    "jsonl": files("jsonl", write_jsonl),
    "parquet": files("parquet", write_parquet),
    "hub in memory": hub_in_memory,
    "hub from a folder": hub_folder,
}


@pytest.fixture(params=[*GIVEN, "mini"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return {**GIVEN, "mini": mini}[request.param](tmp_path)


def test_there_is_a_train_split_and_no_unknown_one(source: Source) -> None:
    assert "train" in source.rows().splits
    assert set(source.rows().splits) <= set(SOURCE_SPLITS)


def test_texts_labels_and_row_numbers_have_equal_lengths(source: Source) -> None:
    for split in source.rows().splits.values():
        assert len(split.texts) == len(split.labels) == len(split.row_numbers) > 0
        assert list(split.texts) == [split.texts[index] for index in range(len(split.texts))]


def test_the_label_names_are_those_of_the_rows(source: Source) -> None:
    rows = source.rows()
    for split in rows.splits.values():
        assert set(split.labels) == set(rows.label_names)
    assert rows.label_names == ("negative", "positive")


def test_rows_and_revision_are_the_same_every_time(source: Source) -> None:
    first, second = source.rows(), source.rows()
    assert first.revision == second.revision != ""
    for name, split in first.splits.items():
        assert list(split.texts) == list(second.splits[name].texts)
        assert split.labels == second.splits[name].labels


def test_every_row_has_a_unique_location_with_its_origin(source: Source) -> None:
    for split in source.rows().splits.values():
        places = [str(split.place(index)) for index in range(len(split.texts))]
        assert len(set(places)) == len(places)
        assert all(place.startswith(split.origin) for place in places)


@pytest.mark.parametrize("kind", GIVEN)
def test_rows_are_read_as_written(kind: str, tmp_path: Path) -> None:
    rows = GIVEN[kind](tmp_path).rows()
    for name, written in (("train", TRAIN), ("test", TEST)):
        split = rows.splits[name]
        assert list(zip(split.texts, split.labels, strict=True)) == written


def test_a_spec_opens_its_own_source(tmp_path: Path) -> None:
    hub = HubSource(name="acme/reviews", revision=COMMIT, text="text", label="label")
    own = FilesSource(train="a.csv", text="text", label="label")
    assert open_source(hub, tmp_path) == HubRows(hub)
    assert open_source(own, tmp_path) == FileRows(own, tmp_path)
    assert open_source(MiniSource(domain="travel"), tmp_path) == MiniRows(MiniSource(domain="travel"))


def test_opening_a_source_loads_neither_datasets_nor_pyarrow() -> None:
    program = (
        "import sys, finetune_alf.data.prepare; print({'datasets', 'pyarrow', 'torch', 'pandas'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
