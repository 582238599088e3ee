"""The profile of a table: what each column holds, in numbers. One pass over the rows, in constant memory."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from finetune_alf.data.readers.numbers import may_be_thousands, number_of, with_decimal_point
from finetune_alf.data.rows import FLAGS, is_empty

MAX_CLASSES = 60
"""More different values are no classes, unless their column is named."""

MAX_COUNTED = 1000
"""The items of lists are counted up to so many different ones."""

MAX_COUNTED_BYTES, BYTES_A_VALUE = 2 << 20, 100
"""The values of a column are counted as long as the different ones take no more memory: their characters, and a hundred
bytes each."""

_DATE = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}([ T,].*)?")

MAX_DIFFERENT = 100_000
"""Different values are counted up to so many; a column of more has at least these."""


@dataclass
class ColumnProfile:
    """One column: its rows, those without a value, and what the others are like.

    Of the `n_empty` rows without a value `n_missing` have null or NaN, and no empty string.
    `counts` has the rows of each value as written, and is None above MAX_COUNTED_BYTES. `n_numbers` of the
    values are finite numbers, `n_commas` are numbers with a decimal comma, `n_thousands` of which may be whole ones;
    `n_whole` of both are whole; `n_dates` begin with a date. `n_lists` are lists or objects; `items` has the rows of
    each item of theirs, and is None for more than MAX_COUNTED items, or where a list has an item twice.
    """

    name: str
    n_rows: int = 0
    n_empty: int = 0
    n_missing: int = 0
    n_numbers: int = 0
    n_whole: int = 0
    n_dates: int = 0
    n_commas: int = 0
    n_thousands: int = 0
    n_words: int = 0
    n_characters: int = 0
    n_lists: int = 0
    counts: Counter[str] | None = field(default_factory=Counter)
    items: Counter[str] | None = field(default_factory=Counter)
    _n_bytes: int = field(default=0, repr=False)
    _hashes: set[int] = field(default_factory=set, repr=False)

    def add(self, value: object) -> None:
        """Count one value."""
        self.n_rows += 1
        if is_empty(value):
            self.n_empty += 1
            self.n_missing += not isinstance(value, str)
            return
        text = str(value).strip()
        if isinstance(value, list):
            self._add_list(value)
        elif isinstance(value, dict):
            self.n_lists, self.items = self.n_lists + 1, None
        pointed = with_decimal_point(text)
        number = number_of(pointed or text)
        self.n_numbers += number is not None and pointed is None
        self.n_whole += number is not None and number.is_integer()
        self.n_dates += _DATE.fullmatch(text) is not None
        self.n_commas += pointed is not None
        self.n_thousands += may_be_thousands(text)
        self.n_words += len(text.split())
        self.n_characters += len(text)
        if len(self._hashes) < MAX_DIFFERENT:
            self._hashes.add(hash(text))
        if self.counts is not None:
            self._n_bytes += 0 if text in self.counts else len(text) + BYTES_A_VALUE
            self.counts[text] += 1
            self.counts = self.counts if self._n_bytes <= MAX_COUNTED_BYTES else None

    def _add_list(self, value: list[object]) -> None:
        self.n_lists += 1
        names = [str(item).strip() for item in value]
        if self.items is None or len(set(names)) < len(names):
            self.items = None
            return
        self.items.update(names)
        self.items = self.items if len(self.items) <= MAX_COUNTED else None

    @property
    def is_flag(self) -> bool:
        """Whether all values are 0 or 1, and both occur."""
        known = None if self.counts is None or self.n_empty else {FLAGS.get(value.lower()) for value in self.counts}
        return known == {False, True}

    @property
    def n_values(self) -> int:
        """The rows that have a value."""
        return self.n_rows - self.n_empty

    @property
    def n_different(self) -> int:
        """The number of different values."""
        return len(self._hashes)

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers, all with a decimal point or with a decimal comma."""
        return 0 < self.n_values == self.n_numbers or self.has_decimal_commas

    @property
    def has_decimal_commas(self) -> bool:
        """Whether all values are numbers, some have a decimal comma, and not all of these may be thousands."""
        return self.n_thousands < self.n_commas and self.n_numbers + self.n_commas == self.n_values

    @property
    def are_dates(self) -> bool:
        """Whether all values begin with a date."""
        return 0 < self.n_values == self.n_dates

    @property
    def mean_words(self) -> float:
        """The mean number of words of a value."""
        return self.n_words / max(self.n_values, 1)

    @property
    def mean_characters(self) -> float:
        """The mean number of characters of a value."""
        return self.n_characters / max(self.n_values, 1)


@dataclass(frozen=True)
class TableProfile:
    """A table: the number of its rows, its columns by name, in order, and the types of those that cannot be read."""

    n_rows: int
    columns: dict[str, ColumnProfile]
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def unread_in_words(self) -> str:
        """The columns that cannot be read, with their types."""
        kinds = ", ".join(f"{name!r} is {kind[:30]}" for name, kind in self.unread.items())
        return f"{kinds}, which {'is' if len(self.unread) == 1 else 'are'} not read"


def profile_of(
    names: Sequence[str], rows: Iterable[Sequence[object]], unread: Mapping[str, str] | None = None
) -> TableProfile:
    """Count what the columns of these names hold."""
    columns = [ColumnProfile(name) for name in names]
    n_rows = 0
    for n_rows, row in enumerate(rows, start=1):  # noqa: B007 - the last number is that of all rows
        for column, value in zip(columns, row, strict=True):
            column.add(value)
    return TableProfile(n_rows, {column.name: column for column in columns}, unread or {})
