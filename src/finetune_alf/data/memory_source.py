"""Rows held in memory: the twin of the other sources, for tests and for callers with rows of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.data.rows import (
    ROWS,
    SourceRows,
    SplitRows,
    Text,
    check_labels,
    label_name,
    label_score,
    ordered_names,
)
from finetune_alf.files import digest
from finetune_alf.metrics import LabelKind


@dataclass(frozen=True)
class MemoryRows:
    """A source over (text, label) rows by split; rows are numbered from 1 in messages."""

    given: Mapping[str, Sequence[tuple[Text, str | float]]]
    labels: LabelKind = "classes"

    def rows(self) -> SourceRows:
        """Return all rows; the revision is a digest over them."""
        splits = {name: self._split(name) for name in self.given}
        revision = f"sha256:{digest({name: list(rows) for name, rows in self.given.items()})}"
        rows = SourceRows(splits, ordered_names(splits["train"].labels), revision)
        check_labels(rows)
        return rows

    def _split(self, name: str) -> SplitRows:
        rows = self.given[name]
        texts, numbers = [text for text, _ in rows], range(1, len(rows) + 1)
        labels = {f"{name} row {number}": label for number, (_, label) in zip(numbers, rows, strict=True)}
        if self.labels == "score":
            scores = [label_score(label, place) for place, label in labels.items()]
            return SplitRows(texts, [ROWS] * len(rows), name, numbers, " row ", scores)
        return SplitRows(texts, [label_name(label, place) for place, label in labels.items()], name, numbers, " row ")
