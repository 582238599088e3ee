"""A machine's speed for one kind of fit, out of a few timed ones."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from finetune_alf.cost.work import Work


@dataclass(frozen=True)
class Timed:
    """Some work, and the seconds it took."""

    work: Work
    seconds: float


@dataclass(frozen=True)
class Speed:
    """Seconds for each unit of Work, and for what a fit takes before its first epoch."""

    price: Work
    fit_s: float

    def seconds(self, work: Work) -> float:
        """Return how long a fit with this work takes."""
        parts = zip(astuple(self.price), astuple(work), strict=True)
        return self.fit_s + float(sum(price * amount for price, amount in parts))

    def scaled(self, factor: float) -> "Speed":
        """Return a speed at which all but the fixed part of a fit takes so many times as long."""
        return Speed(Work(*(factor * price for price in astuple(self.price))), self.fit_s)


def speed_of(timed: Sequence[Timed], fit_s: float) -> Speed:
    """Return the prices, none of them negative, that come nearest to what was timed, by relative error.

    What cannot be told apart (no layer frozen, all texts of one length) is shared out as the fit finds it, which does
    no harm where the predicted work is mixed alike.
    """
    amounts = np.array([astuple(one.work) for one in timed]) / np.array([[one.seconds] for one in timed])
    scale = np.abs(amounts).max(axis=0)
    scale[scale == 0] = 1.0
    return Speed(Work(*(float(price) for price in _non_negative(amounts / scale) / scale)), fit_s)


def _non_negative(amounts: np.ndarray) -> np.ndarray:
    """Solve `amounts @ prices = 1` by least squares, without the most negative price until none is left."""
    left = [column for column in range(amounts.shape[1]) if amounts[:, column].any()]
    prices = np.zeros(amounts.shape[1])
    while left:
        found = np.linalg.lstsq(amounts[:, left], np.ones(len(amounts)), rcond=1e-6)[0]
        if found.min() >= 0:
            prices[left] = found
            break
        left.pop(int(found.argmin()))
    return prices
