"""The message for a sample that asks for more rows than there are: why, how many there are, and sizes that fit."""

import json
from collections.abc import Mapping

from finetune_alf.data.quotas import Counts, has_rows, quotas_of_splits, split_quotas
from finetune_alf.data.sample import SPLITS
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError, TooFewRowsError

STEPS = 1000
"""Sizes that fit are found to within so many parts of those that do not."""


def too_few(error: TooFewRowsError, counts: Mapping[str, Counts], spec: SampleSpec, why: str = "") -> DataError:
    """Return the error with the largest possible number, why there are no more rows, and sizes that can be drawn."""
    split, n, remaining = error.split, error.n, error.remaining
    largest = {source: _largest_n(split, n, own, counts[source], spec) for source, own in remaining.items()}
    best = max(remaining, key=lambda source: largest[source])
    rest = "; ".join(f"{source}: {_described(own)}" for source, own in remaining.items())
    sizes = _sizes_that_fit(split, counts, spec)
    listed = ", ".join(f"n_{name}: {size}" for name, size in sizes.items())
    sentences = (
        f"n_{split}: must be at most {largest[best]}, by the remaining texts ({rest}), but got {n}.",
        why,
        f"Sizes that fit together: {listed}." if len(sizes) > 1 else "",
        f"Lower {'them' if len(sizes) > 1 else 'it'}, or add rows to the source.",
        _about_rare(split, n, remaining[best], counts[best], spec),
    )
    return DataError(" ".join(filter(None, sentences)))


def _sizes_that_fit(failed: str, counts: Mapping[str, Counts], spec: SampleSpec) -> dict[str, int]:
    """Return smaller sizes of the splits that share rows with the one that failed, in proportion; none if none fit."""
    shared = [split for split in SPLITS if split not in counts or split == (failed if failed in counts else "train")]
    numbers = {split: n for split in shared if isinstance(n := spec.n_of(split), int) and n}
    low, high = 0, STEPS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _fits(_scaled(numbers, middle), counts, spec) else (low, middle)
    sizes = _scaled(numbers, low)
    return sizes if _fits(sizes, counts, spec) else {}


def _scaled(numbers: Mapping[str, int], part: int) -> dict[str, int]:
    return {split: max(n * part // STEPS, 1) for split, n in numbers.items()}


def _fits(sizes: Mapping[str, int], counts: Mapping[str, Counts], spec: SampleSpec) -> bool:
    try:
        quotas_of_splits(counts, spec.model_copy(update={f"n_{split}": n for split, n in sizes.items()}))
    except DataError:
        return False
    return True


def _about_rare(split: str, n: int, remaining: Counts, sizes: Counts, spec: SampleSpec) -> str:
    """Return the way out where an even draw has too few rows of some classes, though there are enough rows."""
    quotas = zip(remaining.items(), split_quotas(split, n, sizes, spec), strict=True)
    rare = [name for (name, there), quota in quotas if quota > there]
    if split == "test" or spec.balance != "even" or sum(remaining.values()) < n or not rare:
        return ""
    names = ", ".join(f"{name!r} ({remaining[name]} rows left)" for name in rare[:5])
    more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
    dropped = json.dumps(rare[:5], ensure_ascii=False)
    return (
        f"An even draw needs as many rows of each class, and there are too few of {names}{more}: "
        f"set `balance: natural`, or leave them out with `labels: {{drop: {dropped}}}`."
    )


def _largest_n(split: str, n: int, remaining: Counts, sizes: Counts, spec: SampleSpec) -> int:
    """Return the largest number, up to `n`, whose quotas the remaining rows can fill."""
    numbers = range(min(n, sum(remaining.values())), -1, -1)
    return next(one for one in numbers if has_rows(remaining, split_quotas(split, one, sizes, spec)))


def _described(remaining: Counts) -> str:
    return ", ".join(f"{n} {name}" for name, n in remaining.items())
