"""Data sets of the hub: labels, splits, revisions, and errors of an unreachable hub."""

import math
import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest

from finetune_alf.data.hub_source import HubData, HubRows, download
from finetune_alf.data.rows import SourceRows
from finetune_alf.data.source_spec import HubSource
from finetune_alf.data.text_columns import JoinedText
from finetune_alf.errors import DataError
from finetune_alf.metric_names import ProblemType

COMMIT = "a" * 40
SPEC = HubSource(name="acme/reviews", revision=COMMIT, text="text", label="label")


def classes(labels: list[int | None], names: tuple[str, ...] = ("neg", "pos")) -> datasets.Dataset:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=list(names))})
    return datasets.Dataset.from_dict({"text": [f"t{i}" for i in range(len(labels))], "label": labels}, features)


def integers(labels: list[int]) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"text": [f"t{i}" for i in range(len(labels))], "label": labels})


def rows_of(spec: HubSource = SPEC, **splits: Any) -> SourceRows:
    return HubRows(spec, lambda _: HubData(splits, COMMIT)).rows()


def test_label_names_are_the_features_in_their_order() -> None:
    rows = rows_of(train=classes([0, 1], ("unhappy", "happy")))
    assert rows.label_names == ("unhappy", "happy")
    assert rows.splits["train"].labels == ["unhappy", "happy"]
    assert rows.revision == COMMIT


def test_a_split_without_labels_is_not_used() -> None:
    assert set(rows_of(train=classes([0, 1]), test=classes([-1, -1])).splits) == {"train"}
    assert set(rows_of(train=integers([0, 1]), test=integers([-1, -1])).splits) == {"train"}


def test_unlabelled_rows_are_left_out_and_the_others_keep_their_numbers() -> None:
    split = rows_of(train=classes([0, -1, None, 1])).splits["train"]
    assert list(split.texts) == ["t0", "t3"]
    assert str(split.place(1)) == "acme/reviews train row 4"


@pytest.mark.parametrize(("labels", "kind"), [(["", "a", "b"], "classification"), ([math.nan, 1.0, 2.0], "regression")])
def test_rows_with_an_empty_label_are_an_error_or_left_out_and_counted(labels: list[Any], kind: ProblemType) -> None:
    train = datasets.Dataset.from_dict({"text": ["t0", "t1", "t2"], "label": labels})
    with pytest.raises(
        DataError, match=r"train row 1: the label must be .*leave out those without one by `on_empty: d"
    ):
        HubRows(SPEC, lambda _: HubData({"train": train}, COMMIT), kind).rows()
    split = HubRows(SPEC, lambda _: HubData({"train": train}, COMMIT), kind, "drop").rows().splits["train"]
    assert (list(split.texts), list(split.values), split.n_empty) == (["t1", "t2"], labels[1:], 1)
    assert str(split.place(0)) == "acme/reviews train row 2"


@pytest.mark.parametrize("text", ["a", ("b", "a"), JoinedText(join=("b", "a"))])
@pytest.mark.parametrize("values", [[1, 2], [["a", "film"], ["a", "play"]], [{"en": "a"}, {"en": "b"}]])
def test_a_column_that_holds_no_texts_is_refused(values: list[Any], text: Any) -> None:
    train = datasets.Dataset.from_dict({"a": values, "b": ["1", "2"], "label": [0, 1]})
    spec = SPEC.model_copy(update={"text": text})
    with pytest.raises(DataError, match=r"acme/reviews train: must have texts in the column 'a', but got "):
        rows_of(spec, train=train)


def test_minus_one_is_a_label_in_an_integer_column() -> None:
    assert rows_of(train=integers([-1, 1])).label_names == ("-1", "1")


def test_renamed_splits_are_used() -> None:
    spec = SPEC.model_copy(update={"splits": {"train": "main", "validation": "matched"}})
    rows = rows_of(spec, main=classes([0, 1]), matched=classes([1, 0, 1]), test=classes([0, 1]))
    assert {name: len(split.labels) for name, split in rows.splits.items()} == {"train": 2, "validation": 3}


def test_two_columns_give_pairs_read_lazily() -> None:
    spec = SPEC.model_copy(update={"text": ("a", "b")})
    train = datasets.Dataset.from_dict({"a": ["1", "2"], "b": ["3", "4"], "label": [0, 1]})
    texts = rows_of(spec, train=train).splits["train"].texts
    assert list(texts) == [("1", "3"), ("2", "4")] == [texts[0], texts[1]]
    assert list(texts[:1]) == [("1", "3")]


def test_joined_columns_are_one_text_read_lazily_without_empty_parts() -> None:
    spec = SPEC.model_copy(update={"text": JoinedText(join=("a", "b", "c"))})
    train = datasets.Dataset.from_dict({"a": ["1", "2"], "b": [None, "4"], "c": ["5", " "], "label": [0, 1]})
    texts = rows_of(spec, train=train).splits["train"].texts
    assert list(texts) == ["1 5", "2 4"] == [texts[0], texts[1]] == texts[:]


@pytest.mark.parametrize(
    ("spec", "splits", "message"),
    [
        (SPEC, {"test": [0, 1]}, r"acme/reviews: must have the split 'train', but has 'test'"),
        (
            SPEC,
            {"train": [-1, -1]},
            r"acme/reviews: must have labels in its split 'train', but every row is unlabelled",
        ),
        (
            SPEC.model_copy(update={"splits": {"train": "train", "test": "test"}}),
            {"train": [0, 1], "test": [-1]},
            r"must have labels in its split 'test'",
        ),
        (
            SPEC.model_copy(update={"label": "stars"}),
            {"train": [0, 1]},
            r"must have the column 'stars', but got 'text'",
        ),
    ],
)
def test_missing_splits_labels_and_columns_are_named(
    spec: HubSource, splits: dict[str, list[int | None]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        rows_of(spec, **{name: classes(labels) for name, labels in splits.items()})


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the hub unreachable, with acme/reviews at one commit in the cache."""
    cache = tmp_path / "cache"
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", cache)
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "train.csv").write_text("text,label\ngood,1\nbad,0\n")
    datasets.load_dataset(str(tmp_path / "reviews"), cache_dir=str(cache))
    built = next(cache.glob("reviews/default-*/0.0.0/*/dataset_info.json"), None) or next(
        cache.glob("reviews/default/0.0.0/*/dataset_info.json")
    )
    shutil.copytree(built.parent, cache / "acme___reviews" / "default" / "0.0.0" / COMMIT)
    return tmp_path


def test_a_cached_data_set_is_read_offline(offline: Path) -> None:
    rows = HubRows(SPEC).rows()
    assert list(rows.splits["train"].texts) == ["good", "bad"]
    assert rows.revision == COMMIT


def test_another_commit_in_the_cache_is_refused(offline: Path) -> None:
    spec = SPEC.model_copy(update={"revision": "b" * 40})
    with pytest.raises(
        DataError, match=f"acme/reviews: must be the hub's data set at b{{40}}, but got commit {COMMIT}"
    ):
        download(spec)


def test_a_data_set_that_is_not_cached_is_named_with_the_way_out(offline: Path) -> None:
    spec = SPEC.model_copy(update={"name": "acme/others"})
    with pytest.raises(DataError, match=r"cannot load acme/others at .* from the hub or the cache"):
        download(spec)


def test_a_local_folder_of_the_same_name_is_refused(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(offline)
    spec = SPEC.model_copy(update={"name": "reviews", "revision": "main"})
    with pytest.raises(DataError, match=r"reviews: must be the hub's data set at main, but got a local folder"):
        download(spec)
