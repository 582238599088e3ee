"""Another draw of a prepared sample: train, validation and confirmation anew from the rows of all three."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from finetune_alf.data.prepare import counts_of
from finetune_alf.data.rows import SINGLE_CLASS, Text
from finetune_alf.data.sample import Sample, Split, rows_digest
from finetune_alf.errors import DataError
from finetune_alf.seeds import child_seed

POOL = ("train", "validation", "confirmation")
"""The splits whose rows are drawn from."""

Row = tuple[Text, Any]


def redraw(sample: Sample, n_train: int, n_validation: int, n_confirmation: int, seed: int) -> Sample:
    """Draw a sample's splits anew; the test split stays as it is.

    Classes take turns in one random order of each, so that every split has as many rows of each class as it can.
    Validation and confirmation come first: they do not depend on `n_train`, and the training split of a smaller
    `n_train` is the beginning of that of a larger one. Raises DataError, with the largest possible number, when there
    are too few rows, or rows have several classes.
    """
    if sample.card.problem_type == "multi_label":
        raise DataError(
            f"The rows of sample {sample.name} have several classes each, and another draw takes turns among classes. "
            "Use a sample with one class a row."
        )
    names = sample.card.label_names
    if n_train < max(len(names), 1):
        raise DataError(
            f"n_train: must be at least {max(len(names), 1)}, one row a class, but got {n_train}. Raise it."
        )
    numbers = {"validation": n_validation, "confirmation": n_confirmation, "train": n_train}
    rows = _pool(sample)
    _check_size(sample, rows, numbers)
    shuffled = [_shuffled(own, child_seed(seed, "redraw", name)) for name, own in rows.items()]
    turns = [shuffled[turn % len(rows)][turn // len(rows)] for turn in range(sum(numbers.values()))]
    splits: dict[str, Split] = {}
    for split, n in numbers.items():
        splits[split], turns = _split(turns[:n], bool(names)), turns[n:]
    splits = {**{split: splits[split] for split in POOL}, "test": sample.splits["test"]}
    card = sample.card.model_copy(
        update={
            "counts": {split: counts_of(part, names) for split, part in splits.items()},
            "drawn_from": {**sample.card.drawn_from, **dict.fromkeys(POOL, "pool")},
            "seed": seed,
            "digest": rows_digest(names, splits),
        }
    )
    return Sample(sample.name, card, splits)


def _pool(sample: Sample) -> dict[str, list[Row]]:
    """Return the rows outside of the test split by class, in order; those of a regression are one class."""
    names = sample.card.label_names
    rows: dict[str, list[Row]] = {name: [] for name in names or (SINGLE_CLASS,)}
    for split in POOL:
        labels: Sequence[Any] = sample.splits[split].labels
        for text, label in zip(sample.splits[split].texts, labels, strict=True):
            rows[names[int(label)] if names else SINGLE_CLASS].append((text, label))
    return rows


def _check_size(sample: Sample, rows: Mapping[str, Sequence[Row]], numbers: Mapping[str, int]) -> None:
    n = sum(numbers.values())
    largest = min(len(own) * len(rows) + turn for turn, own in enumerate(rows.values()))
    if n > largest:
        fields = " + ".join(f"n_{split}" for split in POOL)
        present = ", ".join(f"{len(own)} {name}" for name, own in rows.items())
        raise DataError(
            f"{fields}: must be at most {largest} of sample {sample.name}, by its texts outside of the test split "
            f"({present}), but got {n}. Lower them, or raise n_confirmation of the sample and prepare it again."
        )


def _shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    return [rows[index] for index in np.random.default_rng(seed).permutation(len(rows))]


def _split(rows: Sequence[Row], has_classes: bool) -> Split:
    labels: tuple[Any, ...] = tuple(int(label) if has_classes else label for _, label in rows)
    return Split(tuple(text for text, _ in rows), labels)
