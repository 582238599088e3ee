"""Class names of a source: whole numbers as integers, then what `labels` of the sample joins or leaves out.

A class that is left out takes its rows with it; where a row can have several, it keeps the others.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from finetune_alf.data.rows import SourceRows, SplitRows, check_labels, listed, ordered_names
from finetune_alf.data.spec import LabelsSpec
from finetune_alf.errors import DataError


@dataclass(frozen=True)
class LabelledRows:
    """The rows of a source with their final class names, and how many rows `labels` left out, by class."""

    rows: SourceRows
    n_left_out: Mapping[str, int]


def apply_labels(rows: SourceRows, spec: LabelsSpec) -> LabelledRows:
    """Join and leave out classes; raises DataError unless every split then has the same two or more classes.

    Rows of a regression stay as they are.
    """
    if rows.splits["train"].scores is not None:
        check_labels(rows)
        return LabelledRows(rows, {})
    _check_known(spec, rows)
    mapped = _renamed(rows, spec.map)
    dropped = {*spec.drop, *_rare(mapped, spec.min_rows)}
    n_left_out = {name: n for name, n in class_counts(mapped).items() if name in dropped}
    kept = _without(mapped, dropped) if dropped else mapped
    check_labels(kept)
    return LabelledRows(kept, n_left_out)


def class_counts(rows: SourceRows) -> dict[str, int]:
    """Return the rows of each class over all splits, in the order of the classes."""
    counts = Counter(name for split in rows.splits.values() for name in split.class_names)
    return {name: counts[name] for name in (*rows.label_names, *sorted(set(counts) - set(rows.label_names)))}


def whole_numbers(splits: Mapping[str, SplitRows]) -> dict[str, SplitRows]:
    """Return splits whose labels 1.0 and 1 are both 1, where every label is an integer or written like one."""
    names = {name for split in splits.values() for name in split.class_names}
    if not all(re.fullmatch(r"-?\d{1,18}(\.0*)?", name) for name in names):
        return dict(splits)
    integers = {name: str(int(name.partition(".")[0])) for name in names if "." in name}
    return {key: _with_names(split, integers) for key, split in splits.items()}


def _renamed(rows: SourceRows, names: Mapping[str, str]) -> SourceRows:
    if not names:
        return rows
    own = tuple(dict.fromkeys(names.get(name, name) for name in rows.label_names))
    is_ordered = rows.label_names == ordered_names(rows.label_names)
    splits = {key: _with_names(split, names) for key, split in rows.splits.items()}
    return replace(rows, splits=splits, label_names=ordered_names(own) if is_ordered else own)


def _with_names(split: SplitRows, names: Mapping[str, str]) -> SplitRows:
    if split.sets is not None:
        return replace(split, sets=[tuple(dict.fromkeys(names.get(one, one) for one in own)) for own in split.sets])
    return replace(split, labels=[names.get(label, label) for label in split.labels]) if names else split


def _rare(rows: SourceRows, min_rows: int | None) -> list[str]:
    return [name for name, n in class_counts(rows).items() if min_rows is not None and n < min_rows]


def _without(rows: SourceRows, dropped: set[str]) -> SourceRows:
    """Return the rows of the other classes; a split without any is left out."""
    splits = {key: _selected(split, dropped) for key, split in rows.splits.items()}
    kept = {key: split for key, split in splits.items() if split.labels}
    if "train" not in kept:
        raise DataError(
            f"{rows.splits['train'].origin}: no row is left, since `labels` leaves out {listed(dropped)}. "
            "Leave out fewer classes."
        )
    return replace(rows, splits=kept, label_names=tuple(name for name in rows.label_names if name not in dropped))


def _selected(split: SplitRows, dropped: set[str]) -> SplitRows:
    if split.sets is not None:
        return replace(split, sets=[tuple(one for one in own if one not in dropped) for own in split.sets])
    indices = [index for index, label in enumerate(split.labels) if label not in dropped]
    if len(indices) == len(split.labels):
        return split
    return replace(
        split,
        texts=[split.texts[index] for index in indices],
        labels=[split.labels[index] for index in indices],
        row_numbers=[split.row_numbers[index] for index in indices],
    )


def _check_known(spec: LabelsSpec, rows: SourceRows) -> None:
    there = set(class_counts(rows))
    mapped = {spec.map.get(name, name) for name in there}
    for field, names, known in (("map", spec.map, there), ("drop", spec.drop, mapped)):
        if unknown := set(names) - known:
            whose, where = (
                ("the source", "") if known == there else ("the source after `map`", ", or as `map` names them")
            )
            raise DataError(
                f"labels.{field}: must name labels of {whose} ({listed(known)}), but got {listed(unknown)}. "
                f"Write them as they are in the source{where}."
            )
