"""A difference on the card: as numbers, in words, and where it and zero lie in a drawing."""

from collections.abc import Iterable
from dataclasses import dataclass

from finetune_alf.comparison import ComparedDifference
from finetune_alf.register.recommend import PLAIN
from finetune_alf.report.html.inline import words_of
from finetune_alf.report.numbers import p_in_words, signed, signed_estimate

WIDTH, MARGIN = 320, 44
"""Of the drawn interval, and how far its ends are from the border."""


def interval_ends(differences: Iterable[ComparedDifference]) -> tuple[float, float]:
    """Return the ends of an axis that holds all intervals and zero."""
    found = list(differences)
    return min([0.0, *(each.low for each in found)]), max([0.0, *(each.high for each in found)])


@dataclass(frozen=True)
class Interval:
    """The difference of what is `named` from plain fine-tuning, on an axis with these ends."""

    named: str
    found: ComparedDifference
    ends: tuple[float, float]

    @property
    def words(self) -> str:
        """The difference as a line of text."""
        shown = signed_estimate(self.found.mean, self.found.low, self.found.high)
        return f"{words_of(self.named)} less {PLAIN}: {shown}"

    @property
    def verdict(self) -> str:
        """The verdict with its p, where there is one."""
        p = "" if self.found.p_holm is None else f", {p_in_words(self.found.p_holm)}"
        return f"{self.found.verdict or ''}{p}"

    @property
    def mean_text(self) -> str:
        """The difference as the page writes it."""
        return signed(self.found.mean)

    @property
    def low_text(self) -> str:
        """The lower end as the page writes it."""
        return signed(self.found.low)

    @property
    def high_text(self) -> str:
        """The upper end as the page writes it."""
        return signed(self.found.high)

    @property
    def x_mean(self) -> float:
        """The place of the difference."""
        return self._place(self.found.mean)

    @property
    def x_low(self) -> float:
        """The place of the lower end."""
        return self._place(self.found.low)

    @property
    def x_high(self) -> float:
        """The place of the upper end."""
        return self._place(self.found.high)

    @property
    def x_zero(self) -> float:
        """The place of no difference."""
        return self._place(0.0)

    def _place(self, value: float) -> float:
        first, last = self.ends
        share = (value - first) / (last - first) if last > first else 0.5
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)
