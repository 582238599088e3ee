"""The message for a sample that asks for more rows than there are: why, how many there are, and sizes that fit."""

import json
from collections.abc import Iterator, Mapping

from finetune_alf.data.duplicates import UniqueRows
from finetune_alf.data.labels import LabelledRows
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
    together = f"Sizes that fit together: {', '.join(f'n_{name}: {size}' for name, size in sizes.items())}. "
    return DataError(
        f"n_{split}: must be at most {largest[best]}, by the remaining texts ({rest}), but got {n}. {why}"
        f"{together if len(sizes) > 1 else ''}Lower {'them' if len(sizes) > 1 else 'it'}, or add rows to the source."
        f"{_about_rare(split, n, remaining[best], counts[best], spec)}"
    )


def why_few(labelled: LabelledRows, unique: UniqueRows) -> str:
    """Return how many rows of a source can be drawn, and what leaves out the others; nothing where all can be."""
    reasons = list(_left_out(labelled, unique))
    n_kept = sum(map(len, unique.kept.values()))
    n_rows = n_kept + sum(n for _, n in reasons)
    return f"Of {n_rows} rows {n_kept} can be drawn: {', '.join(words for words, _ in reasons)}. " if reasons else ""


def _left_out(labelled: LabelledRows, unique: UniqueRows) -> Iterator[tuple[str, int]]:
    if labelled.n_left_out and labelled.rows.splits["train"].sets is None:  # rows of several classes keep the others
        n = sum(labelled.n_left_out.values())
        classes = ", ".join(f"{name!r} {n}" for name, n in labelled.n_left_out.items())
        yield f"`labels` leaves out {n} ({classes})", n
    if n := sum(unique.n_dropped.values()):
        yield f"{n} {'repeats' if n == 1 else 'repeat'} the text of another row", n
    if n := sum(unique.n_empty.values()) + sum(split.n_empty for split in labelled.rows.splits.values()):
        yield f"{n} {'has' if n == 1 else 'have'} no text or label", n


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
        f" An even draw needs as many rows of each class, and there are too few of {names}{more}: "
        f"set `balance: natural`, or leave them out with `labels: {{drop: {dropped}}}`."
    )


def _largest_n(split: str, n: int, remaining: Counts, sizes: Counts, spec: SampleSpec) -> int:
    """Return the largest number, up to `n`, whose quotas the remaining rows can fill."""
    numbers = range(min(n, sum(remaining.values())), -1, -1)
    return next(one for one in numbers if has_rows(remaining, split_quotas(split, one, sizes, spec)))


def _described(remaining: Counts) -> str:
    return ", ".join(f"{n} {name}" for name, n in remaining.items())
