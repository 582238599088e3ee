"""How many rows of each class every split takes, and from which split of the source: numbers alone."""

from collections.abc import Mapping, Sequence

from finetune_alf.data.sample import SPLITS
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError, TooFewRowsError

Counts = dict[str, int]
"""How many rows of one source split are not drawn yet, by label."""

Quotas = Mapping[str, tuple[str, Sequence[int]]]
"""The source split of each split, and the rows of each class that it takes; in the order of drawing."""

FALLBACK_SPLITS: Mapping[str, Sequence[str]] = {
    "validation": ("train", "test"),
    "confirmation": ("validation", "train", "test"),
    "test": ("validation", "train"),
}
"""Which source splits a split is drawn from where the source lacks it: the first one with enough rows."""


def quotas_of_splits(counts: Mapping[str, Counts], spec: SampleSpec) -> Quotas:
    """Return what each split takes; `counts` are the rows of each source split. Raises DataError for too few rows."""
    remaining = {source: dict(own) for source, own in counts.items()}
    found: dict[str, tuple[str, Sequence[int]]] = {}
    for split in _drawing_order(counts, spec):
        candidates = [split] if split in counts else [source for source in FALLBACK_SPLITS[split] if source in counts]
        n = spec.n_of(split)
        if n == "all":
            source = next((source for source in candidates if any(remaining[source].values())), candidates[0])
            quotas: Sequence[int] = list(remaining[source].values())
        else:
            by_source = {source: split_quotas(split, n, counts[source], spec) for source in candidates}
            enough = [source for source in candidates if has_rows(remaining[source], by_source[source])]
            if not enough:
                raise TooFewRowsError(split, n, {source: remaining[source] for source in candidates})
            source, quotas = enough[0], by_source[enough[0]]
        _check_quotas(split, source, quotas, remaining[source], spec)
        for name, quota in zip(remaining[source], quotas, strict=True):
            remaining[source][name] -= quota
        found[split] = source, quotas
    return found


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


def split_quotas(split: str, n: int, sizes: Mapping[str, int], spec: SampleSpec) -> list[int]:
    """Return the rows of each class that a split of `n` rows takes from a source of these sizes."""
    is_natural = split == "test" or spec.balance == "natural"
    return proportional_quotas(n, list(sizes.values())) if is_natural else even_quotas(n, len(sizes))


def has_rows(remaining: Mapping[str, int], quotas: Sequence[int]) -> bool:
    """Say whether there are that many rows of each class."""
    return all(quota <= there for quota, there in zip(quotas, remaining.values(), strict=True))


def _drawing_order(kept: Mapping[str, object], spec: SampleSpec) -> list[str]:
    """Return the splits in the order of drawing, those of the source first, as the others may draw from them."""
    order = [split for split in SPLITS if split in kept] + [split for split in SPLITS if split not in kept]
    return sorted(order, key=lambda split: spec.n_of(split) == "all")


def _check_quotas(
    split: str, source: str, quotas: Sequence[int], remaining: Mapping[str, int], spec: SampleSpec
) -> None:
    """Raise DataError where no row is left for `all`, or the training split would lack a class."""
    if spec.n_of(split) == "all" and not sum(quotas):
        raise DataError(
            f"n_{split}: must leave at least one row where it is all, but the other splits take every row of the "
            f"source's {source} split. Set it to a number, or lower the numbers of the others."
        )
    missing = [name for name, quota in zip(remaining, quotas, strict=True) if not quota]
    if split == "train" and missing:
        raise DataError(
            f"n_train: must give a row of each class, but {sum(quotas)} rows in the source's proportions have none of "
            f"{', '.join(missing)}. Raise it, set balance to even, or leave classes out with `labels: {{drop: ...}}`."
        )
