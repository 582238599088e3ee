"""Stratified drawing of rows into splits: pure functions of labels, indices and the seed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finetune_alf.data.sample import SPLITS
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.seeds import child_seed

Remaining = dict[str, npt.NDArray[np.int64]]
"""The rows of one source split that are not drawn yet, by label."""

FALLBACK_SPLITS: Mapping[str, Sequence[str]] = {
    "validation": ("train", "test"),
    "confirmation": ("validation", "train", "test"),
    "test": ("validation", "train"),
}
"""Which source splits a split is drawn from where the source lacks it: the first one with enough rows."""


@dataclass(frozen=True)
class DrawnSplit:
    """The rows of one split: the source split they are from, and their indices in it, in order."""

    source_split: str
    indices: tuple[int, ...]


def draw_splits(
    labels: Mapping[str, Sequence[str]], kept: Mapping[str, Sequence[int]], names: Sequence[str], spec: SampleSpec
) -> dict[str, DrawnSplit]:
    """Draw all splits without a common row; a split that the source has is drawn from that one only.

    `labels` are the labels of each source split, `kept` the indices that can be drawn, `names` all label names. Train,
    validation and confirmation have the same number of rows of each class (one more of the first classes where it does
    not divide) or, with `balance: natural`, the proportions of their source split, as test always has. Splits of
    `all` rows are drawn last. Raises DataError, with the largest possible number, when there are too few rows.
    """
    check_train_size(sum(len(some) for some in labels.values()), len(names), spec)
    remaining = {source: _by_label(labels[source], kept[source], names) for source in kept}
    totals = {source: _counts_of(by_label) for source, by_label in remaining.items()}
    drawn: dict[str, DrawnSplit] = {}
    for split in _drawing_order(kept, spec):
        candidates = [split] if split in kept else [source for source in FALLBACK_SPLITS[split] if source in kept]
        n = spec.n_of(split)
        if n == "all":
            source = next((source for source in candidates if any(_counts_of(remaining[source]))), candidates[0])
            quotas = _counts_of(remaining[source])
        else:
            source = _source_split(split, n, candidates, remaining, totals, spec)
            quotas = _quotas(split, n, totals[source], spec)
        _check_quotas(split, source, quotas, remaining, spec)
        rng = np.random.default_rng(child_seed(spec.seed, "sample", split))
        drawn[split] = DrawnSplit(source, _take(remaining[source], quotas, rng))
    return {split: drawn[split] for split in SPLITS}


def check_train_size(n_rows: int, n_classes: int, spec: SampleSpec) -> None:
    """Raise DataError unless `n_train` allows a row of each class and is within `max_train_frac` of all rows."""
    if spec.n_train == "all":
        return
    largest = int(spec.max_train_frac * n_rows + 1e-9)
    if spec.n_train > largest:
        raise DataError(
            f"n_train: must be at most {largest}, max_train_frac ({spec.max_train_frac:g}) of the {n_rows} rows, "
            f"but got {spec.n_train}. Set it to {largest}, or max_train_frac to {_least_frac(spec.n_train, n_rows)}."
        )
    if spec.n_train < n_classes:
        raise DataError(
            f"n_train: must be at least {n_classes}, one row a class, but got {spec.n_train}. "
            "Raise it, or use another column as label."
        )


def even_quotas(n: int, n_classes: int) -> list[int]:
    """Return the number of rows of each class, as equal as possible."""
    return [n // n_classes + (index < n % n_classes) for index in range(n_classes)]


def proportional_quotas(n: int, sizes: Sequence[int]) -> list[int]:
    """Return the number of rows of each class, in proportion to `sizes`: largest remainders, first class on a tie."""
    total = max(sum(sizes), 1)
    quotas = [n * size // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda index: (-(n * sizes[index] % total), index))
    for index in by_remainder[: n - sum(quotas)]:
        quotas[index] += 1
    return quotas


def _drawing_order(kept: Mapping[str, Sequence[int]], spec: SampleSpec) -> list[str]:
    """Return the splits in the order of drawing, those of the source first, as the others may draw from them."""
    order = [split for split in SPLITS if split in kept] + [split for split in SPLITS if split not in kept]
    return sorted(order, key=lambda split: spec.n_of(split) == "all")


def _quotas(split: str, n: int, sizes: Sequence[int], spec: SampleSpec) -> list[int]:
    is_natural = split == "test" or spec.balance == "natural"
    return proportional_quotas(n, sizes) if is_natural else even_quotas(n, len(sizes))


def _check_quotas(
    split: str, source: str, quotas: Sequence[int], remaining: Mapping[str, Remaining], spec: SampleSpec
) -> None:
    """Raise DataError where no row is left for `all`, or the training split would lack a class."""
    if spec.n_of(split) == "all" and not sum(quotas):
        raise DataError(
            f"n_{split}: must leave at least one row where it is all, but the other splits take every row of the "
            f"source's {source} split. Set it to a number, or lower the numbers of the others."
        )
    missing = [name for name, quota in zip(remaining[source], quotas, strict=True) if not quota]
    if split == "train" and missing:
        raise DataError(
            f"n_train: must give a row of each class, but {sum(quotas)} rows in the source's proportions have none of "
            f"{', '.join(missing)}. Raise it, set balance to even, or leave classes out with `labels: {{drop: ...}}`."
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


def _source_split(
    split: str,
    n: int,
    candidates: Sequence[str],
    remaining: Mapping[str, Remaining],
    totals: Mapping[str, Sequence[int]],
    spec: SampleSpec,
) -> str:
    """Return the first source split with enough rows; raises DataError with the largest possible number."""
    largest = {source: _largest_n(split, n, remaining[source], totals[source], spec) for source in candidates}
    for source in candidates:
        if largest[source] == n:
            return source
    rest = "; ".join(f"{source}: {_described(remaining[source])}" for source in candidates)
    best = max(candidates, key=lambda source: largest[source])
    raise DataError(
        f"n_{split}: must be at most {largest[best]}, by the remaining texts ({rest}), but got {n}. "
        f"Lower it, or add rows to the source.{_about_rare(split, n, remaining[best], totals[best], spec)}"
    )


def _about_rare(split: str, n: int, remaining: Remaining, sizes: Sequence[int], spec: SampleSpec) -> str:
    """Return the way out where an even draw has too few rows of some classes, though there are enough rows."""
    available = _counts_of(remaining)
    quotas = zip(remaining, _quotas(split, n, sizes, spec), available, strict=True)
    rare = [name for name, quota, there in quotas if quota > there]
    if split == "test" or spec.balance != "even" or sum(available) < n or not rare:
        return ""
    names = ", ".join(f"{name!r} ({len(remaining[name])} rows left)" for name in rare[:5])
    more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
    dropped = json.dumps(rare[:5], ensure_ascii=False)
    return (
        f" An even draw needs as many rows of each class, and there are too few of {names}{more}: "
        f"set `balance: natural`, or leave them out with `labels: {{drop: {dropped}}}`."
    )


def _largest_n(split: str, n: int, remaining: Remaining, sizes: Sequence[int], spec: SampleSpec) -> int:
    """Return the largest number, up to `n`, whose quotas the remaining rows can fill."""
    available = _counts_of(remaining)
    quotas = ((one, _quotas(split, one, sizes, spec)) for one in range(min(n, sum(available)), -1, -1))
    return next(one for one, each in quotas if all(q <= a for q, a in zip(each, available, strict=True)))


def _counts_of(remaining: Remaining) -> list[int]:
    return [len(rows) for rows in remaining.values()]


def _described(remaining: Remaining) -> str:
    return ", ".join(f"{len(rows)} {name}" for name, rows in remaining.items())


def _least_frac(n_train: int, n_rows: int) -> str:
    """Return the smallest fraction, to three digits, that allows `n_train`, or 1 and the need for more rows."""
    thousandths = -(-1000 * n_train // max(n_rows, 1))
    return f"{thousandths / 1000:g}" if thousandths <= 1000 else "1 and add rows"
