"""How long the steps that are left of a stage will take, from those that this start has done."""

from dataclasses import dataclass

_TOGETHER = 0.05
"""Steps that end so soon after the first one, as a share of its time, ran beside it."""


@dataclass(frozen=True)
class _Point:
    """How many steps this start had done at a time, in seconds; epochs of fits that go on are parts of steps."""

    time: float
    work: float


class TimeLeft:
    """Counts the steps of a stage and the epochs of the fits that go on, and says how long the rest takes.

    The first fit of a start is slow, since encoder and data are loaded and memory is got meanwhile. So the rate is
    that of the steps after the first one. Before there is a whole one it is that of the epochs so far, without the time
    before the first epoch. Steps that an earlier start has done say nothing about the rate.
    """

    def __init__(self, total: int, now: float) -> None:
        self.total, self.n_done = total, 0
        self._n_earlier = 0
        self._parts: dict[str, float] = {}
        self._began = self._last = _Point(now, 0.0)
        self._started = now
        self._first: _Point | None = None  # the end of the first step of this start, and of those that end with it
        self._first_of_all = self._began

    @property
    def done(self) -> float:
        """How many steps are done, with parts of those that go on."""
        return min(self.n_done + sum(self._parts.values()), self.total)

    @property
    def n_going_on(self) -> int:
        """How many fits have reported an epoch, and go on."""
        return len(self._parts)

    def end(self, step: str, now: float, *, is_new: bool = True) -> None:
        """Count a step; `step` is the name by which its epochs were reported."""
        self._parts.pop(step, None)
        self.n_done += 1
        if not is_new:
            self._n_earlier += 1
            return
        self._last = self._at(now)
        if self._first is None:
            self._first = self._first_of_all = self._last
        elif now - self._first_of_all.time <= _TOGETHER * (self._first_of_all.time - self._started):
            self._first = self._last

    def epoch(self, step: str, share: float, seconds: float, now: float) -> None:
        """Count an epoch that took so many seconds; `share` of the step is done, between 0 and 1."""
        if not self._parts and self._first is None:
            self._began = _Point(max(now - seconds, self._began.time), 0.0)
        self._parts[step] = share
        self._last = self._at(now)

    def seconds(self, now: float) -> float | None:
        """Return the seconds that are left; None where it is not known, or more time has passed than expected."""
        since = self._first if self._first and self._last.work - self._first.work >= 1 else self._began
        work = self._last.work - since.work
        if work <= 0:
            return None
        left = (self.total - self.done) * (self._last.time - since.time) / work - (now - self._last.time)
        return left if left > 0 else None

    def _at(self, now: float) -> _Point:
        return _Point(now, self.done - self._n_earlier)
