"""Rows held in memory: the twin of the other sources, for tests and for callers with rows of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.data.rows import SourceRows, SplitRows, Text, check_labels, label_name, ordered_names
from finetune_alf.files import digest


@dataclass(frozen=True)
class MemoryRows:
    """A source over (text, label) rows by split; rows are numbered from 1 in messages."""

    given: Mapping[str, Sequence[tuple[Text, str | int]]]

    def rows(self) -> SourceRows:
        """Return all rows; the revision is a digest over them."""
        splits = {name: self._split(name) for name in self.given}
        revision = f"sha256:{digest({name: list(rows) for name, rows in self.given.items()})}"
        rows = SourceRows(splits, ordered_names(splits["train"].labels), revision)
        check_labels(rows)
        return rows

    def _split(self, name: str) -> SplitRows:
        rows = self.given[name]
        labels = [label_name(label, f"{name} row {number}") for number, (_, label) in enumerate(rows, start=1)]
        return SplitRows([text for text, _ in rows], labels, name, range(1, len(rows) + 1), " row ")
