"""Tables in memory become files: every row, with the names of classes, or an error that says what to do."""

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune_alf.data.files_source import FileRows
from finetune_alf.data.frames import splits_of, write_frame
from finetune_alf.data.source_spec import FilesSource
from finetune_alf.errors import DataError

TEXTS, LABELS = ["a good film", "a bad film", "ümlaut"], ["pos", "neg", "pos"]
FRAME = pd.DataFrame({"text": TEXTS, "label": LABELS}, index=[7, 9, 11])


def polars_frame(label=None):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"text": TEXTS, "label": LABELS})
    return frame if label is None else frame.with_columns(polars.col("label").cast(label(polars)))


def table_of_categories():
    """A table whose labels are as polars hands categories on."""
    labels = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array(["pos", "neg"], pa.string_view()))
    return pa.table({"text": TEXTS, "label": labels})


def numbered_dataset():
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    whole = datasets.Dataset.from_dict({"text": ["left out", *TEXTS], "label": [0, 1, 0, 1]}, features=features)
    return whole.select([1, 2, 3])


@pytest.mark.parametrize("kind", [datasets.List, datasets.LargeList])
def test_lists_of_classes_of_datasets_are_lists_of_their_names(tmp_path, kind):
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": kind(datasets.ClassLabel(names=["joy", "fear", "anger"]))}
    )
    frame = datasets.Dataset.from_dict({"text": [*TEXTS, "none"], "label": [[0, 2], [], [1], None]}, features=features)
    write_frame(tmp_path / "t.parquet", frame)
    assert pq.read_table(tmp_path / "t.parquet").column("label").to_pylist() == [["joy", "anger"], [], ["fear"], None]
    rows = rows_of(tmp_path / "t.parquet", frame, problem_type="multi_label", on_empty="drop")
    assert list(rows.sets) == [("joy", "anger"), (), ("fear",)]


def rows_of(path, frame, **spec):
    write_frame(path, frame)
    source = FilesSource(train=str(path), text="text", label="label")
    return FileRows(source, path.parent, **spec).rows().splits["train"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: FRAME,
        lambda: FRAME.astype({"label": "category"}),
        lambda: FRAME.assign(label=FRAME["label"].astype("string")),
        polars_frame,
        lambda: polars_frame(lambda polars: polars.Categorical),
        lambda: polars_frame(lambda polars: polars.Enum(["neg", "pos"])),
        numbered_dataset,
        lambda: pa.table({"text": TEXTS, "label": LABELS}),
        table_of_categories,
    ],
    ids=[
        "pandas",
        "categories",
        "pandas strings",
        "polars",
        "polars categories",
        "polars enum",
        "datasets",
        "pyarrow",
        "pyarrow categories",
    ],
)
def test_every_row_is_read_in_order_with_the_name_of_its_class(tmp_path, make):
    rows = rows_of(tmp_path / "texts.parquet", make())
    assert (list(rows.texts), list(rows.labels)) == (TEXTS, LABELS)


def test_lists_of_categories_are_lists_of_names(tmp_path):
    items = table_of_categories().column("label").combine_chunks()
    frame = pa.table({"text": TEXTS[:2], "label": pa.LargeListArray.from_arrays([0, 2, 3], items)})
    assert rows_of(tmp_path / "texts.parquet", frame, problem_type="multi_label").sets == [("pos", "neg"), ("pos",)]


def test_equal_tables_give_equal_bytes_whatever_their_index(tmp_path):
    write_frame(tmp_path / "one.parquet", FRAME)
    write_frame(tmp_path / "other.parquet", FRAME.reset_index(drop=True))
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "other.parquet").read_bytes()


def test_only_the_columns_that_are_named_are_written(tmp_path):
    n_rows = write_frame(tmp_path / "few.parquet", FRAME.assign(author="someone"), ("text", "label"))
    assert (n_rows, pq.read_schema(tmp_path / "few.parquet").names) == (3, ["text", "label"])


@pytest.mark.parametrize("missing", [None, float("nan"), "", "  "])
def test_a_row_without_text_is_the_error_of_a_file(tmp_path, missing):
    with pytest.raises(DataError, match=r"few\.parquet row 2: .*`on_empty: drop` of the sample"):
        rows_of(tmp_path / "few.parquet", FRAME.assign(text=[TEXTS[0], missing, TEXTS[2]]))


def test_a_class_of_datasets_without_a_label_is_the_error_of_a_file(tmp_path):
    unlabelled = numbered_dataset().map(lambda row: {"label": -1 if row["text"] == TEXTS[2] else row["label"]})
    with pytest.raises(DataError, match=r"row 3: the label must be an integer or a string, but got None"):
        rows_of(tmp_path / "few.parquet", unlabelled)


def test_numbers_with_gaps_are_the_classes_that_they_were(tmp_path):
    frame = FRAME.assign(label=[1.0, float("nan"), 0.0])
    assert list(rows_of(tmp_path / "few.parquet", frame, on_empty="drop").labels) == ["1", "0"]


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (FRAME.rename(columns={"label": "verdict"}), r"must have the column 'label', but got 'text', 'verdict'"),
        (pd.DataFrame([["a", 1, 2]], columns=["text", "label", "label"]), r"Duplicate column names"),
        (FRAME.assign(text=["a", 1, b"c"]), r"cannot write .*values of one type"),
        (
            numbered_dataset().to_iterable_dataset(),
            r"IterableDataset\. Read its rows first: datasets\.Dataset\.from_list",
        ),
        (FRAME["text"], r"Series\. Pass a table with the columns of text and label"),
        ([("a", 1)], r"data: must be a DataFrame .* but got builtins\.list\. Convert it"),
    ],
)
def test_what_cannot_be_written_is_told_with_a_way_out(tmp_path, frame, fault):
    with pytest.raises(DataError, match=fault):
        write_frame(tmp_path / "none.parquet", frame, ("text", "label"))
    assert not list(tmp_path.iterdir())


def test_a_lazy_frame_of_polars_is_to_be_collected(tmp_path):
    with pytest.raises(DataError, match=r"LazyFrame\. Pass data\.collect\(\)"):
        write_frame(tmp_path / "none.parquet", polars_frame().lazy())


def test_a_dictionary_holds_splits_by_the_names_of_a_source():
    by_split = datasets.DatasetDict({"test": numbered_dataset(), "train": numbered_dataset()})
    assert list(splits_of(by_split)) == ["train", "test"]
    assert list(splits_of(FRAME)) == ["train"]
    with pytest.raises(DataError, match=r"must be train and, .* but got train, unsupervised\. Leave out unsupervised:"):
        splits_of({"train": FRAME, "unsupervised": FRAME})
    with pytest.raises(DataError, match=r"but got text, label\. Pass .* or one table, as pandas\.DataFrame\(data\)"):
        splits_of({"text": TEXTS, "label": LABELS})
