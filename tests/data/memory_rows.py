"""A source of rows in memory, for tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.checksums import digest
from finetune_alf.data.rows import (
    SINGLE_CLASS,
    SourceRows,
    SplitRows,
    Text,
    label_name,
    label_score,
    ordered_names,
)
from finetune_alf.errors import RowPlace
from finetune_alf.metric_names import ProblemType


@dataclass(frozen=True)
class MemoryRows:
    """A source of (text, label) rows by split; messages number the rows from 1."""

    given: Mapping[str, Sequence[tuple[Text, str | float]]]
    problem_type: ProblemType = "classification"

    def rows(self) -> SourceRows:
        splits = {name: self._split(name) for name in self.given}
        revision = f"sha256:{digest({name: list(rows) for name, rows in self.given.items()})}"
        return SourceRows(splits, ordered_names(splits["train"].labels), revision)

    def _split(self, name: str) -> SplitRows:
        rows = self.given[name]
        texts, numbers = [text for text, _ in rows], range(1, len(rows) + 1)
        labels = {
            RowPlace(name, number, has_lines=False): label for number, (_, label) in zip(numbers, rows, strict=True)
        }
        if self.problem_type == "regression":
            scores = [label_score(label, place, "label") for place, label in labels.items()]
            return SplitRows(texts, [SINGLE_CLASS] * len(rows), name, numbers, False, scores)
        names = [label_name(label, place, "label") for place, label in labels.items()]
        return SplitRows(texts, names, name, numbers, False)
