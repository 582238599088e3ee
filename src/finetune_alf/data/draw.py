"""Stratified drawing of rows into splits: pure functions of labels, indices and the seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finetune_alf.data.few_rows import too_few
from finetune_alf.data.quotas import quotas_of_splits
from finetune_alf.data.sample import SPLITS
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError, TooFewRowsError
from finetune_alf.seeds import child_seed

Remaining = dict[str, npt.NDArray[np.int64]]
"""The rows of one source split that are not drawn yet, by label."""


@dataclass(frozen=True)
class DrawnSplit:
    """The rows of one split: the source split they are from, and their indices in it, in order."""

    source_split: str
    indices: tuple[int, ...]


def draw_splits(
    labels: Mapping[str, Sequence[str]],
    kept: Mapping[str, Sequence[int]],
    names: Sequence[str],
    spec: SampleSpec,
    why: str = "",
) -> dict[str, DrawnSplit]:
    """Draw all splits without a common row; a split that the source has is drawn from that one only.

    `labels` are the labels of each source split, `kept` the indices that can be drawn, `names` all label names. Train,
    validation and confirmation have the same number of rows of each class (one more of the first classes where it does
    not divide) or, with `balance: natural`, the proportions of their source split, as test always has. Splits of
    `all` rows are drawn last. Raises DataError when there are too few rows, with the largest possible number, `why`
    there are no more, and sizes that can be drawn.
    """
    check_train_size(sum(len(some) for some in labels.values()), len(names), spec, why)
    remaining = {source: _by_label(labels[source], kept[source], names) for source in kept}
    counts = {source: {name: len(rows) for name, rows in own.items()} for source, own in remaining.items()}
    try:
        quotas = quotas_of_splits(counts, spec)
    except TooFewRowsError as error:
        raise too_few(error, counts, spec, why) from None
    drawn: dict[str, DrawnSplit] = {}
    for split, (source, own) in quotas.items():
        rng = np.random.default_rng(child_seed(spec.seed, "sample", split))
        drawn[split] = DrawnSplit(source, _take(remaining[source], own, rng))
    return {split: drawn[split] for split in SPLITS}


def check_train_size(n_rows: int, n_classes: int, spec: SampleSpec, why: str = "") -> None:
    """Raise DataError unless `n_train` allows a row of each class and is within `max_train_frac` of all rows."""
    if spec.n_train == "all":
        return
    largest = int(spec.max_train_frac * n_rows + 1e-9)
    if spec.n_train > largest:
        sentences = (
            f"n_train: must be at most {largest}, max_train_frac ({spec.max_train_frac:g}), the largest part that may "
            f"be trained on, of the {n_rows} rows, but got {spec.n_train}.",
            why,
            f"Set it to {largest}, or max_train_frac to {_least_frac(spec.n_train, n_rows)}.",
        )
        raise DataError(" ".join(filter(None, sentences)))
    if spec.n_train < n_classes:
        raise DataError(
            f"n_train: must be at least {n_classes}, one row a class, but got {spec.n_train}. "
            "Raise it, or use another column as label."
        )


def _by_label(labels: Sequence[str], kept: Sequence[int], names: Sequence[str]) -> Remaining:
    grouped: dict[str, list[int]] = {name: [] for name in names}
    for index in kept:
        grouped[labels[index]].append(index)
    return {name: np.array(indices, dtype=np.int64) for name, indices in grouped.items()}


def _take(remaining: Remaining, quotas: Sequence[int], rng: np.random.Generator) -> tuple[int, ...]:
    """Remove drawn rows from `remaining` and return them, classes shuffled."""
    taken = []
    for (name, rows), quota in zip(remaining.items(), quotas, strict=True):
        chosen = rng.permutation(rows)[:quota]
        remaining[name] = np.setdiff1d(rows, chosen, assume_unique=True)
        taken.append(chosen)
    return tuple(rng.permutation(np.concatenate(taken)).tolist())


def _least_frac(n_train: int, n_rows: int) -> str:
    """Return the smallest fraction, to three digits, that allows `n_train`, or 1 and the need for more rows."""
    thousandths = -(-1000 * n_train // max(n_rows, 1))
    return f"{thousandths / 1000:g}" if thousandths <= 1000 else "1 and add rows"
