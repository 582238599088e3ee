"""A machine's speed for one kind of fit, estimated from a few timed ones."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from finetune_alf.cost.work import Work


@dataclass(frozen=True)
class TimedWork:
    """Some work, and the seconds it took."""

    work: Work
    seconds: float


@dataclass(frozen=True)
class Speed:
    """Seconds for each unit of Work, and for what a fit takes before its first epoch."""

    unit_s: Work
    fit_s: float

    def seconds(self, work: Work) -> float:
        """Return how long a fit with this work takes."""
        pairs = zip(astuple(self.unit_s), astuple(work), strict=True)
        return self.fit_s + float(sum(unit_s * amount for unit_s, amount in pairs))

    def scaled(self, factor: float) -> "Speed":
        """Return a speed at which everything but the fixed part of a fit takes `factor` times as long."""
        return Speed(Work(*(factor * unit_s for unit_s in astuple(self.unit_s))), self.fit_s)


def estimate_speed(timed: Sequence[TimedWork], fit_s: float) -> Speed:
    """Return the non-negative seconds per unit that minimise the squared relative errors.

    Kinds of work that the timings do not separate (no layer frozen, all texts of one length) share their time
    arbitrarily; predictions stay right where the predicted work has the same mix.
    """
    amounts = np.array([astuple(one.work) for one in timed]) / np.array([[one.seconds] for one in timed])
    scale = np.abs(amounts).max(axis=0)
    scale[scale == 0] = 1.0
    return Speed(Work(*(float(unit_s) for unit_s in _non_negative(amounts / scale) / scale)), fit_s)


def _non_negative(amounts: np.ndarray) -> np.ndarray:
    """Solve `amounts @ unit_s = 1` by least squares, dropping the most negative column until none is negative."""
    columns = [column for column in range(amounts.shape[1]) if amounts[:, column].any()]
    unit_s = np.zeros(amounts.shape[1])
    while columns:
        solution = np.linalg.lstsq(amounts[:, columns], np.ones(len(amounts)), rcond=1e-6)[0]
        if solution.min() >= 0:
            unit_s[columns] = solution
            break
        columns.pop(int(solution.argmin()))
    return unit_s
