"""Which rows go into which split: pure functions over labels and indices, the same for the same seed everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finetune_alf.data.sample import SPLITS
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.seeds import child_seed

Left = dict[str, npt.NDArray[np.int64]]
"""The rows not drawn yet of one given split, by label."""

SPARE: Mapping[str, Sequence[str]] = {
    "validation": ("train", "test"),
    "confirmation": ("validation", "train", "test"),
    "test": ("validation", "train"),
}
"""Where a split comes from that the source does not give: all of it from the first that has enough rows left."""


@dataclass(frozen=True)
class DrawnSplit:
    """The rows of one split: which given split they are from, and their indices there, in order."""

    given: str
    indices: tuple[int, ...]


def draw_splits(
    labels: Mapping[str, Sequence[str]], kept: Mapping[str, Sequence[int]], names: Sequence[str], spec: SampleSpec
) -> dict[str, DrawnSplit]:
    """Draw all splits, none sharing a row; a split that the source gives is drawn from that one alone.

    Train, validation and confirmation hold each class equally often (the first classes once more where the number
    does not divide) or, with `balance: natural`, as test does: as often as the given split it is from. Splits of
    `all` are drawn last and take what is left. Raises DataError saying which number fits.
    """
    check_train_size(sum(len(given) for given in labels.values()), len(names), spec)
    left = {given: _by_label(labels[given], kept[given], names) for given in kept}
    shares = {given: _counts_of(by_label) for given, by_label in left.items()}
    drawn: dict[str, DrawnSplit] = {}
    for split in _in_turn(kept, spec):
        places = [split] if split in kept else [given for given in SPARE[split] if given in kept]
        asked = spec.n_of(split)
        if asked == "all":
            given = next((given for given in places if any(_counts_of(left[given]))), places[0])
            quotas = _counts_of(left[given])
        else:
            given = _place(split, asked, places, left, shares, spec)
            quotas = _quotas(split, asked, shares[given], spec)
        _check_quotas(split, given, quotas, left, spec)
        rng = np.random.default_rng(child_seed(spec.seed, "sample", split))
        drawn[split] = DrawnSplit(given, _take(left[given], quotas, rng))
    return {split: drawn[split] for split in SPLITS}


def check_train_size(n_rows: int, n_classes: int, spec: SampleSpec) -> None:
    """Raise DataError unless training has a row of each class and is no more than the allowed part of all rows."""
    if spec.n_train == "all":
        return
    fitting = int(spec.max_train_frac * n_rows + 1e-9)
    if spec.n_train > fitting:
        raise DataError(
            f"n_train: must be at most {fitting}, max_train_frac ({spec.max_train_frac:g}) of the {n_rows} rows, "
            f"but got {spec.n_train}. Ask for {fitting}, or set max_train_frac to {_enough(spec.n_train, n_rows)}."
        )
    if spec.n_train < n_classes:
        raise DataError(
            f"n_train: must be at least {n_classes}, one row a class, but got {spec.n_train}. "
            "Ask for more, or name another column as label."
        )


def even_quotas(n: int, n_classes: int) -> list[int]:
    """Return how many rows each class gives when they are as equal as they can be."""
    return [n // n_classes + (index < n % n_classes) for index in range(n_classes)]


def proportional_quotas(n: int, sizes: Sequence[int]) -> list[int]:
    """Return how many rows each class gives when they stand as `sizes` do: largest remainders, first class on a tie."""
    total = max(sum(sizes), 1)
    quotas = [n * size // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda index: (-(n * sizes[index] % total), index))
    for index in by_remainder[: n - sum(quotas)]:
        quotas[index] += 1
    return quotas


def _in_turn(kept: Mapping[str, Sequence[int]], spec: SampleSpec) -> list[str]:
    """Return the splits in the order of drawing: given ones first, so that the others take nothing away from them."""
    order = [split for split in SPLITS if split in kept] + [split for split in SPLITS if split not in kept]
    return sorted(order, key=lambda split: spec.n_of(split) == "all")


def _quotas(split: str, n: int, sizes: Sequence[int], spec: SampleSpec) -> list[int]:
    is_natural = split == "test" or spec.balance == "natural"
    return proportional_quotas(n, sizes) if is_natural else even_quotas(n, len(sizes))


def _check_quotas(split: str, given: str, quotas: Sequence[int], left: Mapping[str, Left], spec: SampleSpec) -> None:
    """Raise DataError where nothing is left for `all`, or training would not see a class at all."""
    if spec.n_of(split) == "all" and not sum(quotas):
        raise DataError(
            f"n_{split}: must leave a row to draw where it is all, but the other splits took all of the source's "
            f"{given} split. Ask for a number, or for fewer in the others."
        )
    missing = [name for name, quota in zip(left[given], quotas, strict=True) if not quota]
    if split == "train" and missing:
        raise DataError(
            f"n_train: must give a row of each class, but {sum(quotas)} in the source's own proportions give none of "
            f"{', '.join(missing)}. Ask for more, or set balance to even."
        )


def _by_label(labels: Sequence[str], kept: Sequence[int], names: Sequence[str]) -> Left:
    grouped: dict[str, list[int]] = {name: [] for name in names}
    for index in kept:
        grouped[labels[index]].append(index)
    return {name: np.array(indices, dtype=np.int64) for name, indices in grouped.items()}


def _take(left: Left, quotas: Sequence[int], rng: np.random.Generator) -> tuple[int, ...]:
    """Take rows out of `left`, classes mixed."""
    taken = []
    for (name, rows), quota in zip(left.items(), quotas, strict=True):
        chosen = rng.permutation(rows)[:quota]
        left[name] = np.setdiff1d(rows, chosen, assume_unique=True)
        taken.append(chosen)
    return tuple(rng.permutation(np.concatenate(taken)).tolist())


def _place(
    split: str,
    asked: int,
    places: Sequence[str],
    left: Mapping[str, Left],
    shares: Mapping[str, Sequence[int]],
    spec: SampleSpec,
) -> str:
    """Return the first given split that has enough rows left; raises DataError saying how many there are."""
    fitting = {given: _fitting(split, asked, left[given], shares[given], spec) for given in places}
    for given in places:
        if fitting[given] == asked:
            return given
    rest = "; ".join(f"{given}: {_counts(left[given])}" for given in places)
    raise DataError(
        f"n_{split}: must be at most {max(fitting.values())}, by the distinct texts left ({rest}), but got {asked}. "
        f"Ask for fewer, or give the source more rows."
    )


def _fitting(split: str, asked: int, left: Left, sizes: Sequence[int], spec: SampleSpec) -> int:
    """Return the largest number, up to the one asked for, whose quotas the rows left can fill."""
    available = _counts_of(left)
    quotas = ((n, _quotas(split, n, sizes, spec)) for n in range(min(asked, sum(available)), -1, -1))
    return next(n for n, each in quotas if all(q <= a for q, a in zip(each, available, strict=True)))


def _counts_of(left: Left) -> list[int]:
    return [len(rows) for rows in left.values()]


def _counts(left: Left) -> str:
    return ", ".join(f"{len(rows)} {name}" for name, rows in left.items())


def _enough(n_train: int, n_rows: int) -> str:
    """Return the least fraction, to three digits, that lets n_train through; more rows are the answer above 1."""
    thousandths = -(-1000 * n_train // max(n_rows, 1))
    return f"{thousandths / 1000:g}" if thousandths <= 1000 else "1 and add rows"
