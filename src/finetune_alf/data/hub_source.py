"""The source of rows from the Hugging Face hub, through `datasets`, which runs no code of the repository."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from finetune_alf.data.labels import whole_numbers
from finetune_alf.data.readers.columns import check_columns
from finetune_alf.data.rows import (
    SINGLE_CLASS,
    SOURCE_SPLITS,
    SourceRows,
    SplitRows,
    Text,
    is_empty,
    label_name,
    label_score,
    label_set,
    ordered_names,
)
from finetune_alf.data.source_spec import HubSource
from finetune_alf.data.spec import OnEmpty
from finetune_alf.data.text_columns import TextColumns, columns_of, text_of
from finetune_alf.errors import DataError, RowPlace
from finetune_alf.metric_names import ProblemType


@dataclass(frozen=True)
class HubData:
    """A data set of the hub: its splits, memory-mapped, and their commit."""

    splits: Mapping[str, Any]
    commit: str


def download(spec: HubSource) -> HubData:
    """Download a data set, or read it from the cache of `datasets` without a connection or under HF_HUB_OFFLINE.

    Raises DataError, naming the repository, when it cannot be downloaded, or is of another commit than `revision`.
    """
    import datasets

    try:
        builder = datasets.load_dataset_builder(spec.name, spec.config, revision=spec.revision)
    except Exception as error:
        raise _download_error(spec, error) from error
    # `datasets` prefers a local folder of that name, and takes the latest commit that the cache has.
    is_commit = re.fullmatch("[0-9a-f]{40}", spec.revision) is not None
    if builder.repo_id is None or (is_commit and builder.hash != spec.revision):
        found = "a local folder of that name" if builder.repo_id is None else f"commit {builder.hash} of the cache"
        raise DataError(
            f"{spec.name}: must be the hub's data set at {spec.revision}, but got {found}. "
            "Run in a folder without a folder of that name, and online, so that the revision can be downloaded."
        )
    try:
        builder.download_and_prepare()
        return HubData(builder.as_dataset(), str(builder.hash))
    except Exception as error:
        raise _download_error(spec, error) from error


@dataclass(frozen=True)
class HubRows:
    """The labelled splits of one data set of the hub."""

    spec: HubSource
    download: Callable[[HubSource], HubData] = download
    problem_type: ProblemType = "classification"
    on_empty: OnEmpty = "error"

    def rows(self) -> SourceRows:
        """Return the rows; texts are read from disk when they are accessed. Raises DataError for missing labels."""
        data = self.download(self.spec)
        names = self._split_names(data)
        splits = {name: self._split(own, data.splits[own]) for name, own in names.items()}
        labelled = {name: split for name, split in splits.items() if split.labels}
        for name in splits if self.spec.splits else ["train"]:
            if name not in labelled:
                raise DataError(
                    f"{self.spec.name}: must have labels in its split {names[name]!r}, but every row is unlabelled. "
                    f"Name another split as {name}."
                )
        if self.problem_type == "classification" and _class_names(data.splits[names["train"]], self.spec.label) is None:
            labelled = whole_numbers(labelled)
        used = {label for split in labelled.values() for label in split.class_names}
        return SourceRows(labelled, self._label_names(data.splits[names["train"]], used), data.commit)

    def _split_names(self, data: HubData) -> dict[str, str]:
        """Return the data set's own name of each source split."""
        own: dict[str, str] = {name: name for name in SOURCE_SPLITS if name in data.splits or name == "train"}
        if self.spec.splits:
            own = {str(name): split for name, split in self.spec.splits.items()}
        missing = [split for split in own.values() if split not in data.splits]
        if missing:
            raise DataError(
                f"{self.spec.name}: must have the split {missing[0]!r}, but has {', '.join(map(repr, data.splits))}. "
                "Set `splits` of this source to splits of the data set."
            )
        return {name: own[name] for name in SOURCE_SPLITS if name in own}

    def _split(self, own: str, rows: Any) -> SplitRows:
        origin = f"{self.spec.name} {own}"
        columns = columns_of(self.spec.text)
        check_columns(RowPlace(origin), (*columns, self.spec.label), rows.column_names)
        _check_texts(origin, {name: rows.features[name] for name in columns})
        values = list(rows[self.spec.label])
        names = _class_names(rows, self.spec.label)
        labelled = _LABELLED[self.problem_type](values, names is not None)
        kept = [index for index in labelled if not (self._leaves_out_empty and is_empty(values[index]))]
        n_empty = len(labelled) - len(kept)
        if len(kept) < len(values):
            rows = rows.select(kept)
        texts = rows[columns[0]] if len(columns) == 1 else TextRows(self.spec.text, [rows[name] for name in columns])
        numbers, field = [index + 1 for index in kept], self.spec.label
        places = [(values[index], RowPlace(origin, index + 1, has_lines=False)) for index in kept]
        if self.problem_type == "regression":
            scores = [label_score(value, place, field) for value, place in places]
            return SplitRows(texts, [SINGLE_CLASS] * len(kept), origin, numbers, False, scores, n_empty)
        if self.problem_type == "multi_label":
            sets = [label_set(_named(value, names), self.spec.label_separator, place, field) for value, place in places]
            return SplitRows(texts, [SINGLE_CLASS] * len(kept), origin, numbers, False, sets=sets)
        labels = [label_name(_named(value, names), place, field) for value, place in places]
        return SplitRows(texts, labels, origin, numbers, False, n_empty=n_empty, label_column=field)

    @property
    def _leaves_out_empty(self) -> bool:
        """Whether rows with an empty label are left out; an empty one of several classes is a row of no class."""
        return self.on_empty == "drop" and self.problem_type != "multi_label"

    def _label_names(self, train: Any, used: set[str]) -> tuple[str, ...]:
        names = None if self.problem_type == "regression" else _class_names(train, self.spec.label)
        return ordered_names(list(used)) if names is None else tuple(name for name in names if name in used)


@dataclass(frozen=True)
class TextRows(Sequence[Text]):
    """Several text columns as one sequence of pairs, or of joined texts, read lazily."""

    text: TextColumns
    columns: Sequence[Sequence[str]]

    @overload
    def __getitem__(self, index: int) -> Text: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Text]: ...
    def __getitem__(self, index: int | slice) -> Text | Sequence[Text]:
        if isinstance(index, slice):
            rows = zip(*(column[index] for column in self.columns), strict=True)
            return [text_of(self.text, parts) for parts in rows]
        return text_of(self.text, [column[index] for column in self.columns])

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[Text]:
        return (text_of(self.text, parts) for parts in zip(*self.columns, strict=True))


def _check_texts(origin: str, features: Mapping[str, Any]) -> None:
    """Raise DataError for a column of texts that holds something else, such as lists of words."""
    for name, feature in features.items():
        kind = getattr(feature, "dtype", None)
        if kind not in ("string", "large_string", "null"):
            raise DataError(
                f"{origin}: must have texts in the column {name!r}, but got {kind or feature}. "
                "Name another column as `text` of this source, or save the data with texts and use `kind: files`."
            )


def _class_names(rows: Any, label: str) -> list[str] | None:
    """Return the names of a column of classes, or of lists of them; None where these have no names."""
    feature = rows.features[label]
    names = getattr(getattr(feature, "feature", feature), "names", None)
    return None if names is None else list(names)


def _named(value: Any, names: Sequence[str] | None) -> Any:
    if names is None:
        return value
    return [names[one] for one in value] if isinstance(value, list) else names[value]


def _labelled(values: Sequence[Any], is_class_label: bool) -> list[int]:
    """Return the indices of rows with a label; -1 is a missing ClassLabel, but can be a label of an integer column."""
    is_missing = is_class_label or all(value in (-1, None) for value in values)
    return [index for index, value in enumerate(values) if value is not None and not (is_missing and value == -1)]


def _with_list(values: Sequence[Any], _: bool) -> list[int]:
    return [index for index, value in enumerate(values) if value is not None]


_LABELLED: Mapping[ProblemType, Callable[[Sequence[Any], bool], list[int]]] = {
    "classification": _labelled,
    "multi_label": _with_list,
    "regression": _labelled,
}
"""Which rows have a label."""


def _download_error(spec: HubSource, error: Exception) -> DataError:
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return DataError(
        f"cannot load {spec.name} at {spec.revision} from the hub or the cache: {reason}. "
        "Check name, config and revision; offline, download it once on a machine with a network, or use `kind: files`."
    )
