"""Guesses about sizes: how many rows each split takes, how classes are balanced, and where texts are cut."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from finetune_alf.data.quotas import even_quotas, proportional_quotas
from finetune_alf.data.spec import Balance
from finetune_alf.errors import InputError
from finetune_alf.metric_names import MetricName, ProblemType
from finetune_alf.starting.columns import Guess

FRACTIONS: Mapping[str, float] = {"train": 0.4, "validation": 0.2, "confirmation": 0.2, "test": 0.2}

MOST: Mapping[str, int] = {"train": 200, "validation": 300, "confirmation": 300, "test": 800}
"""No split takes more, so that a search takes minutes on two cores, and its intervals are narrow enough."""

MIN_ROWS = 40
"""Fewer different texts are too few to train, choose and test on."""

MIN_ROWS_A_CLASS = 5
"""With fewer, some split would lack the class."""

MIN_TRAIN_ROWS = 8
"""Expected training rows with and without a class that rows are not drawn by: linear models need two of each."""

EVEN = 1.5
"""Classes are even where the largest has at most so many times the rows of the smallest."""

COARSE = 0.05
"""A single text that is worth more of a score than this is told."""

TOKENS = (32, 48, 64, 96, 128, 192, 256, 384, 512)
COVERED = 0.9
"""The fraction of texts that are not cut."""


@dataclass(frozen=True)
class Sizes:
    """The number of rows of each split, out of `n_texts` different texts.

    `n_drawable` of these can be drawn under `balance`; `largest` has the sizes where no split has a limit. A budget has
    taken `n_cut` rows from the training split.
    """

    n_train: int
    n_validation: int
    n_confirmation: int
    n_test: int
    balance: Balance
    n_texts: int
    n_drawable: int
    largest: Mapping[str, int]
    n_cut: int = 0

    @property
    def n_unused(self) -> int:
        """The number of different texts that are in no split."""
        return self.n_texts - self.n_train - self.n_validation - self.n_confirmation - self.n_test

    @property
    def seen(self) -> str:
        """The number of different texts in words, with how many of them are in no split."""
        return f"{self.n_texts} different texts" + (f", {self.n_unused} of them in no split" if self.n_unused else "")

    def without_training_rows(self, n: int) -> "Sizes":
        """Return the sizes with so many training rows less, to fit a budget."""
        return replace(self, n_train=self.n_train - n, n_cut=self.n_cut + n)

    def reasons_unused(self) -> Iterator[str]:
        """Yield why texts are in no split, with their number and what would use them."""
        n_uneven = self.n_texts - self.n_drawable
        if n_uneven:
            yield (
                f"{n_uneven} of larger classes, since an even draw takes as many of each class (to use them, set "
                "`balance: natural` and raise the sizes)"
            )
        above = {split: n - MOST[split] for split, n in _shares(self.n_drawable).items() if n > MOST[split]}
        if above:
            limits = ", ".join(f"n_{split} can be up to {self.largest[split]}" for split in above)
            yield f"{sum(above.values())} so that a search takes minutes ({limits})"
        if self.n_cut:
            yield f"{self.n_cut} to fit the budget (a larger --budget takes them)"
        if n_rest := self.n_unused - n_uneven - sum(above.values()) - self.n_cut:
            yield f"{n_rest} by rounding"

    def described(self) -> str:
        """Return the sizes in words."""
        return (
            f"{self.n_train} to train, {self.n_validation} to choose, {self.n_confirmation} to confirm, "
            f"{self.n_test} to test"
        )


def guess_balance(counts: Mapping[str, int]) -> Guess[Balance]:
    """Return whether splits have equally many rows of each class, or the proportions of the table."""
    smallest, largest = min(counts.values()), max(counts.values())
    if smallest == largest:
        return Guess("even", f"each class has {largest} rows")
    seen = f"the smallest class has {smallest} rows, the largest {largest}"
    return Guess("even" if largest <= EVEN * smallest else "natural", seen)


def guess_sizes(counts: Mapping[str, int], balance: Balance) -> Guess[Sizes]:
    """Return the rows of each split, out of the different texts of each class; InputError for too few."""
    total = sum(counts.values())
    usable = len(counts) * min(counts.values()) if balance == "even" else total
    if usable < MIN_ROWS:
        raise InputError(f"rows: must be at least {MIN_ROWS} different texts with labels, but got {usable}. Add rows.")
    shares = _shares(usable)
    n = _fitting({split: min(number, MOST[split]) for split, number in shares.items()}, counts, balance)
    largest = _fitting(shares, counts, balance)
    sizes = Sizes(n["train"], n["validation"], n["confirmation"], n["test"], balance, total, usable, largest)
    return Guess(sizes, sizes.seen)


def _shares(n_rows: int) -> dict[str, int]:
    return {split: int(fraction * n_rows) for split, fraction in FRACTIONS.items()}


def _fitting(n: Mapping[str, int], counts: Mapping[str, int], balance: Balance) -> Mapping[str, int]:
    """Return sizes that can be drawn: rounding may ask for a row more than a class has."""
    while not _fits(n, counts, balance):
        n = {split: number - 1 for split, number in n.items()}
    return n


def _fits(n: Mapping[str, int], counts: Mapping[str, int], balance: Balance) -> bool:
    sizes = list(counts.values())
    quotas = [
        even_quotas(number, len(sizes)) if balance == "even" and split != "test" else proportional_quotas(number, sizes)
        for split, number in n.items()
    ]
    return all(sum(each) <= size for each, size in zip(zip(*quotas, strict=True), sizes, strict=True))


def rare_classes(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the classes to leave out, because some split would lack them; InputError where fewer than two are left."""
    rare = tuple(name for name, n in counts.items() if n < MIN_ROWS_A_CLASS)
    if rare and len(counts) - len(rare) < 2:
        raise InputError(
            f"label: must have at least two classes of {MIN_ROWS_A_CLASS} rows, but there are fewer rows of "
            f"{', '.join(map(repr, rare[:10]))}. Add rows, or name another column with --label."
        )
    return rare


def rare_in_sets(counts: Mapping[str, int], n_rows: int, n_train: int) -> tuple[str, ...]:
    """Return the classes to leave out where a row can have several: the training rows would hardly have or lack them.

    InputError where fewer than two are left.
    """
    share = n_train / n_rows
    rare = tuple(name for name, n in counts.items() if min(n, n_rows - n) * share < MIN_TRAIN_ROWS)
    if len(counts) - len(rare) < 2:
        raise InputError(
            f"label: must have at least two classes of {MIN_TRAIN_ROWS / share:.0f} rows, but there are fewer rows of "
            f"{', '.join(map(repr, rare[:10]))}. Add rows, or name another column with --label."
        )
    return rare


def guess_metric(task: ProblemType, balance: Balance) -> Guess[MetricName]:
    """Return the metric that the search maximises."""
    if task == "multi_label":
        return Guess("micro_f1", "over all pairs of a text and a class")
    if task == "regression":
        return Guess("pearson", "labels are scores")
    if balance == "natural":
        return Guess("balanced_accuracy", "classes are uneven: each counts the same")
    return Guess("accuracy", "classes are even")


def coarse_note(sizes: Sizes, counts: Mapping[str, int]) -> str:
    """Return how much of the balanced accuracy a text of the smallest class is, where it is much; else nothing."""
    quotas = dict(zip(counts, proportional_quotas(sizes.n_validation, list(counts.values())), strict=True))
    smallest = min(quotas, key=lambda name: quotas[name])
    n = quotas[smallest]
    worth = 1 / (len(counts) * n) if n else 0.0
    if worth <= COARSE:
        return ""
    return (
        f"{n} of the {sizes.n_validation} texts to choose by {'is' if n == 1 else 'are'} of class {smallest!r}: each "
        f"is worth {worth:.0%} of a score, in which all classes count the same. More rows of it make scores finer."
    )


def guess_max_tokens(lengths: Sequence[int], most: int, limit: int | None = None) -> Guess[int]:
    """Return where texts are cut, given the tokens of each: after `most` or earlier, where most texts stay whole.

    `limit` is the largest number that the encoder takes.
    """
    ordered = sorted(lengths)
    wanted = ordered[min(int(COVERED * len(ordered)), len(ordered) - 1)]
    chosen = next((tokens for tokens in TOKENS if wanted <= tokens <= most), most)
    n_longer, median = sum(length > chosen for length in ordered), ordered[len(ordered) // 2]
    longer = f"{n_longer / len(ordered):.0%} of the texts are longer{' and are cut there' if n_longer else ''}"
    if wanted <= most:
        return Guess(chosen, f"{longer}; half have at most {median} tokens")
    more = (
        "the encoder takes no more" if most == limit else "a higher number, up to the encoder's limit, takes more time"
    )
    return Guess(chosen, f"{longer}: half have {median} tokens or more; {more}")
