"""The card of a study: what to use, by what evidence, what it cost to know, and lines to copy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from finetune_alf.comparison import ComparedDifference
from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import PLAIN, SchemeDifferences
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import counted, duration, signed, signed_estimate
from finetune_alf.report.use import Advice, advice

WIDTH, MARGIN = 320, 44
"""Of the drawn interval, and how far its ends are from the border."""


@dataclass(frozen=True)
class Fact:
    """A number with its name."""

    name: str
    value: str


@dataclass(frozen=True)
class Interval:
    """A difference with its interval: as numbers, in words, and where it and zero lie in a drawing."""

    found: ComparedDifference
    words: str

    @property
    def mean(self) -> float:
        """The difference."""
        return self.found.mean

    @property
    def low(self) -> float:
        """The lower end."""
        return self.found.low

    @property
    def high(self) -> float:
        """The upper end."""
        return self.found.high

    @property
    def mean_text(self) -> str:
        """The difference as the page writes it."""
        return signed(self.mean)

    @property
    def low_text(self) -> str:
        """The lower end as the page writes it."""
        return signed(self.low)

    @property
    def high_text(self) -> str:
        """The upper end as the page writes it."""
        return signed(self.high)

    @property
    def x_mean(self) -> float:
        """The place of the difference."""
        return self._place(self.mean)

    @property
    def x_low(self) -> float:
        """The place of the lower end."""
        return self._place(self.low)

    @property
    def x_high(self) -> float:
        """The place of the upper end."""
        return self._place(self.high)

    @property
    def x_zero(self) -> float:
        """The place of no difference."""
        return self._place(0.0)

    def _place(self, value: float) -> float:
        first, last = min(self.low, 0.0), max(self.high, 0.0)
        share = (value - first) / (last - first) if last > first else 0.5
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)


@dataclass(frozen=True)
class Card:
    """What the card says; texts are the report's Markdown, `snippet` is plain."""

    headline: str
    why: str
    settled: bool
    interval: Interval | None
    where: str
    facts: tuple[Fact, ...]
    how: str
    snippet: str


def card(results: StudyResults, lock: LockDocument, tested: Mapping[str, SchemeDifferences]) -> Card:
    """Return the card of a study whose schedules were registered."""
    found = advice(results.name, lock, tested, results.search.settings if results.search else None)
    return Card(
        headline=_headline(found),
        why=_sentence(found),
        settled=found.settled,
        interval=_interval(found),
        where=f"`{found.compared}` against {PLAIN} {found.where}." if found.difference else "",
        facts=tuple(_facts(results, lock, found)),
        how=found.how,
        snippet=found.snippet,
    )


def _headline(found: Advice) -> str:
    if found.difference is None:
        return "What to use is open"
    return f"Use {found.named}" if found.settled else f"Use {found.named} for now"


def _sentence(found: Advice) -> str:
    why = found.why[0].upper() + found.why[1:]
    if found.difference is None:
        return why
    return f"{why}." if found.settled else f"{why} for a verdict: `{found.decider}` decides."


def _interval(found: Advice) -> Interval | None:
    difference = found.difference
    if difference is None:
        return None
    shown = signed_estimate(difference.mean, difference.low, difference.high)
    return Interval(difference, f"{found.compared} less {PLAIN}: {shown}")


def _facts(results: StudyResults, lock: LockDocument, found: Advice) -> Iterator[Fact]:
    if found.difference:
        yield Fact("Texts", f"{found.difference.variance.components.n_texts:,}")
        yield Fact("Seeds", str(found.difference.n_seeds))
    if results.search:
        yield Fact("Search", counted(len(results.search.trials), "trial"))
        yield Fact("Time in their fits", duration(results.search.fit_seconds))
    yield Fact("Fits to confirm", f"{lock.n_fits:,}")
