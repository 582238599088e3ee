"""A sample, its card, and its folder: one Parquet file for each split and card.json, written atomically."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from finetune_alf.checksums import digest, parse_checked
from finetune_alf.data.rows import Text
from finetune_alf.errors import DataError
from finetune_alf.files import write_bytes
from finetune_alf.folders import replace_folder
from finetune_alf.json_files import write_json
from finetune_alf.metric_names import Label, ProblemType
from finetune_alf.os_errors import check_regular, os_error_reason
from finetune_alf.paths import command_in, way_out_of
from finetune_alf.spec import Spec, first_fault

SPLITS = ("train", "validation", "confirmation", "test")


@dataclass(frozen=True)
class Split:
    """The rows of one split: texts or pairs, and their labels.

    A label is an index into the card's label names, several of them in order where rows can have several classes, or a
    score if the card has no label names.
    """

    texts: tuple[Text, ...]
    labels: tuple[int, ...] | tuple[float, ...] | tuple[tuple[int, ...], ...]

    @property
    def classes(self) -> list[int]:
        """The class of each row, where each has one."""
        return [int(label) for label in self.labels if not isinstance(label, tuple)]


class Card(Spec):
    """The metadata of a sample; nothing in it depends on the machine or the time."""

    name: str
    source: dict[str, JsonValue]
    revision: str
    """The hub's commit, or the SHA-256 of the files."""
    label_names: tuple[str, ...]
    """The classes in the order of their indices; empty for regression."""
    counts: dict[str, dict[str, int]]
    """Rows by split and label name; by split and `rows` for regression, and where a row can have several classes."""
    class_counts: dict[str, dict[str, int]] | None = None
    """Rows of each class by split, where a row can have several classes or none."""
    drawn_from: dict[str, str]
    """The source split that each split was drawn from."""
    n_source_rows: int
    duplicates_dropped: dict[str, int]
    """The number of rows of each source split whose text is in an earlier row."""
    seed: int
    digest: str
    """SHA-256 of every row of every split in order: text or pair, label name or score."""

    @property
    def problem_type(self) -> ProblemType:
        """What the labels are."""
        if self.class_counts is not None:
            return "multi_label"
        return "classification" if self.label_names else "regression"

    @property
    def n_classes(self) -> int:
        """The number of classes; 0 for regression."""
        return len(self.label_names)


@dataclass(frozen=True)
class Sample:
    """The rows of all splits, and their card."""

    name: str
    card: Card
    splits: Mapping[str, Split]

    @property
    def tasks(self) -> Mapping[str, "Sample"]:
        """Itself, as the single task of its name; a mixture has several."""
        return {self.name: self}

    def nonempty_split(self, split: str) -> Split:
        """Return a split; raises DataError when it has no rows."""
        if not self.splits[split].texts:
            raise DataError(
                f"sample {self.name}: must have rows in its {split} split, but has none. "
                f"Raise n_{split}, then run the prepare stage again."
            )
        return self.splits[split]


def rows_digest(label_names: tuple[str, ...], splits: Mapping[str, Split]) -> str:
    """Return the SHA-256 of every row of every split."""
    rows = {
        name: list(map(list, zip(split.texts, _stored_labels(split.labels, label_names), strict=True)))
        for name, split in splits.items()
    }
    return digest({"label_names": label_names, "rows": rows})


def save_sample(folder: Path, sample: Sample) -> None:
    """Write a sample's folder; equal rows give equal bytes."""
    with replace_folder(folder) as temporary:
        for name in SPLITS:
            write_bytes(temporary / f"{name}.parquet", _parquet(sample.splits[name], sample.card))
        unset = {"class_counts"} if sample.card.class_counts is None else None
        write_json(temporary / "card.json", sample.card.model_dump(mode="json", exclude=unset))


def load_sample(folder: Path) -> Sample:
    """Read a sample; raises DataError when a file is missing or invalid, or the rows have another digest."""
    card = load_card(folder)
    splits = {name: _read_split(folder / f"{name}.parquet", card) for name in SPLITS}
    found = rows_digest(card.label_names, splits)
    if found != card.digest:
        raise DataError(
            f"{folder}: the rows must have the card's digest {card.digest}, but got {found}. {way_out_of(folder)}"
        )
    return Sample(card.name, card, splits)


def load_card(folder: Path) -> Card:
    """Read a sample's card only; raises DataError when it is missing or invalid."""
    path = folder / "card.json"
    check_regular(path, DataError)
    try:
        return Card.model_validate_json(json.dumps(parse_checked(path.read_bytes())))
    except FileNotFoundError as error:
        raise DataError(f"{folder}: the sample is not prepared. Run `{_prepare(folder)}` first.") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {os_error_reason(error)}. {way_out_of(path)}") from error
    except ValueError as error:
        fault = first_fault(error) if isinstance(error, ValidationError) else error
        raise DataError(f"{path}: must be a sample's card, but got {fault}. {way_out_of(path)}") from error


def _prepare(folder: Path) -> str:
    """Return the command that prepares the sample of a folder."""
    root = folder.parents[2] if folder.parts[-3:-1] == ("data", "samples") else Path()
    return command_in(root, "prepare", folder.name)


def _stored_labels(labels: Sequence[Label], label_names: tuple[str, ...]) -> list[Any]:
    """Return labels as they are stored: names of classes, lists of them, or scores."""
    if not label_names:
        return list(labels)
    return [
        [label_names[index] for index in label] if isinstance(label, tuple) else label_names[int(label)]
        for label in labels
    ]


def _read_labels(stored: Sequence[Any], card: Card) -> tuple[Any, ...]:
    """Return labels from what is stored; raises ValueError for a name that is no class."""
    if card.problem_type == "regression":
        return tuple(float(label) for label in stored)
    if card.problem_type == "multi_label":
        return tuple(tuple(card.label_names.index(name) for name in names) for names in stored)
    return tuple(card.label_names.index(label) for label in stored)


def _parquet(split: Split, card: Card) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"classification": pa.string(), "multi_label": pa.list_(pa.string()), "regression": pa.float64()}
    pairs = [(text, None) if isinstance(text, str) else text for text in split.texts]
    columns: dict[str, Any] = {
        "text": pa.array([first for first, _ in pairs], pa.string()),
        "label": pa.array(_stored_labels(split.labels, card.label_names), types[card.problem_type]),
    }
    if any(second is not None for _, second in pairs):
        columns["pair"] = pa.array([second for _, second in pairs], pa.string())
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def _read_split(path: Path, card: Card) -> Split:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = file.read().to_pydict()
        texts = columns["text"]
        if "pair" in columns:
            texts = list(zip(texts, columns["pair"], strict=True))
        return Split(tuple(texts), _read_labels(columns["label"], card))
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: no such file. {way_out_of(path)}") from error
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path}: must be a split of a sample, but got: {reason}. {way_out_of(path)}") from error
