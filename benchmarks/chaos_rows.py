"""What a figure reports, and what it is given."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    done: str
    found: str
    goal: str
    is_met: bool


@dataclass(frozen=True)
class Run:
    """What a figure is given: an empty folder, its random numbers, how often it kills, and the progress bar."""

    root: Path
    rng: random.Random
    n_kills: int
    n_trials: int
    """The trials of the long study."""
    advance: Callable[[], None]


@dataclass(frozen=True)
class Figure:
    """A function that measures, what it counts, its goal, and how often it advances the bar."""

    measure: Callable[[Run], list[Row]]
    counts: str
    goal: str
    n_steps: Callable[[int], int]


def none_of(done: str, n_bad: int, total: int, what: str) -> Row:
    """Return the row of something that must never happen."""
    return Row(done, f"{n_bad:,} of {total:,} {what}", "0", n_bad == 0)


def at_most(done: str, value: float, unit: str, limit: float) -> Row:
    """Return the row of a measured value with an upper limit."""
    return Row(done, f"{value:.2f} {unit}", f"at most {limit:g} {unit}", value <= limit)
