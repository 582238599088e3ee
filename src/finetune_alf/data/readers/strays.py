"""Rows that a stray quote joins: a quoted field over several lines, each of which has the fields of a row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from finetune_alf.data.readers.numbers import number_of


@dataclass(frozen=True)
class Record:
    """A row's fields, and its lines with their numbers."""

    fields: list[str]
    line: int
    last: int
    raw: tuple[str, ...]


@dataclass(frozen=True)
class Suspect:
    """The first and last line of a row over several lines, and the labels of its lines but its own."""

    line: int
    last: int
    labels: tuple[tuple[str, ...], ...] = ()


class Strays:
    """The rows of a file whose lines could each be a row; `labels` are the indices of the columns of the label.

    Texts of several lines have lines like rows by chance. They are joined rows where most lines have labels of the
    other rows, and may be where no label can tell.
    """

    def __init__(self, delimiter: str, n_fields: int, labels: Sequence[int]) -> None:
        self.delimiter, self.n_fields, self.labels = delimiter, n_fields, labels
        self.n_lines = self.n_rows = 0
        self._seen: list[set[str]] = [set() for _ in labels]
        self._n_long = self._n_suspects = 0
        self._suspects: list[Suspect] = []

    def add(self, record: Record) -> None:
        """Count a row; keep its labels, or those of its lines if it has several, each with the fields of a row."""
        self.n_rows += 1
        if len(record.raw) == 1:
            self.n_lines += 1
            for seen, index in zip(self._seen, self.labels, strict=True):
                seen.add(record.fields[index])
            return
        lines = [line.rstrip("\r\n").split(self.delimiter) for line in record.raw if line.strip()]
        self.n_lines += len(lines)
        self._n_long += 1
        if self.n_fields < 2 or any(len(line) != self.n_fields for line in lines):
            return
        self._n_suspects += 1
        if not self.labels:
            self._suspects = self._suspects or [Suspect(record.line, record.last)]
            return
        labels = [tuple(line[index].strip('"') for index in self.labels) for line in lines]
        own = tuple(record.fields[index] for index in self.labels)
        if own in labels:
            labels.remove(own)
        self._suspects.append(Suspect(record.line, record.last, tuple(labels)))

    def joined(self) -> Iterator[Suspect]:
        """Yield the rows most of whose lines have labels of the other rows."""
        return (one for one, n in self._known() if 2 * n > len(one.labels))

    def perhaps_joined(self) -> Suspect | None:
        """Return the first of the other rows that may be joined, where most rows of several lines look like that."""
        if 2 * self._n_suspects <= self._n_long:
            return None
        n_single = self.n_rows - self._n_long
        can_tell = any(2 * len(seen) <= n_single or _are_numbers(seen) for seen in self._seen)
        return next((one for one, n in self._known() if (n or not can_tell) and 2 * n <= len(one.labels)), None)

    def _known(self) -> Iterator[tuple[Suspect, int]]:
        """Return each suspect with how many of its lines have labels of the other rows; numbers are alike."""
        columns = [(seen, _are_numbers(seen)) for seen in self._seen]

        def is_known(labels: tuple[str, ...]) -> bool:
            found = zip(labels, columns, strict=True)
            return all(
                one in seen or (are_numbers and number_of(one) is not None) for one, (seen, are_numbers) in found
            )

        return ((one, sum(map(is_known, one.labels))) for one in self._suspects)


def _are_numbers(seen: set[str]) -> bool:
    return bool(seen) and all(number_of(one) is not None for one in seen)
