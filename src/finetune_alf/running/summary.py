"""What the page of a parent run shows in MLflow: scores as metrics, and a description with verdict and table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.documents import Estimate
from finetune_alf.report.numbers import NONE, estimate, signed_estimate
from finetune_alf.tracking.record import metric_name

N_ROWS = 40
"""A description shows no more rows; the others are metrics."""


@dataclass(frozen=True)
class ScoreRow:
    """A score with its interval, and its difference from the reference, which may have a verdict."""

    name: str
    score: Estimate | None
    difference: Estimate | None = None

    @property
    def verdict(self) -> str:
        """The verdict on the difference; none where it was not tested."""
        return str(getattr(self.difference, "verdict", None) or "")


@dataclass(frozen=True)
class Summary:
    """The description of a parent run, in Markdown, and its metrics."""

    note: str
    metrics: Mapping[str, float]


def scores_summary(verdict: str, measure: str, rows: Sequence[ScoreRow], note: str = "") -> Summary:
    """Return a summary of compared scores: the verdict in a sentence, then a row each, then a note.

    The ends of intervals are metrics of their own, `.low` and `.high`.
    """
    lines = [verdict, "", *_table(measure, rows[:N_ROWS])]
    if len(rows) > N_ROWS:
        lines += ["", f"{len(rows) - N_ROWS} more are among the metrics."]
    metrics = {key: value for row in rows for key, value in _metrics(row)}
    return Summary("\n".join([*lines, *(["", note] if note else [])]), metrics)


def _table(measure: str, rows: Sequence[ScoreRow]) -> Iterator[str]:
    with_difference = any(row.difference for row in rows)
    yield f"| | {measure} |{' difference | verdict |' if with_difference else ''}"
    yield f"|---|---|{'---|---|' if with_difference else ''}"
    for row in rows:
        scored = estimate(row.score) if row.score else "diverged"
        found = row.difference
        shown = signed_estimate(found.mean, found.low, found.high) if found else NONE
        yield f"| {row.name} | {scored} |{f' {shown} | {row.verdict} |' if with_difference else ''}"


def _metrics(row: ScoreRow) -> Iterator[tuple[str, float]]:
    for group, found in (("score", row.score), ("difference", row.difference)):
        if found is not None:
            name = f"{group}/{_key(row.name)}"
            yield from ((name, found.mean), (f"{name}.low", found.low), (f"{name}.high", found.high))


def _key(name: str) -> str:
    return metric_name(re.sub(r"\s*,\s*", "/", name))
