"""A finished replicate as one line of JSON: all that the analysis needs, and nothing of the machine that made it."""

import base64

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document

Rates = tuple[float, ...]
"""Rates from the embeddings up to the top layer; the head has the baseline's."""


class Tested(Document):
    """Scores on the test split by seed; None of a fit that diverged.

    `right` has the correct predictions of each fit, packed, where the metric is a mean over texts.
    """

    scores: tuple[float | None, ...]
    right: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """The mean score; a fit that diverged has 0."""
        return float(np.mean([score or 0.0 for score in self.scores]))


class Search(Document):
    """The fits of an arm in order: their params, and their scores on validation and test; None of one that diverged."""

    params: tuple[tuple[float, ...], ...]
    validation: tuple[float | None, ...]
    test: tuple[float | None, ...]


class Candidate(Document):
    """Rates that were confirmed: the mean of their validation scores, and the confirmation score of each seed."""

    rates: Rates
    validation: float | None
    confirmation: tuple[float | None, ...]


class ArmResult(Document):
    """An arm: its search, its candidates by validation, the baseline last, and the winner's index and test."""

    search: Search
    candidates: tuple[Candidate, ...]
    winner: int
    test: Tested

    @property
    def won(self) -> Candidate:
        """The candidate that was tested."""
        return self.candidates[self.winner]


class Schedule(Document):
    """Rates that were tested without a search."""

    rates: Rates
    test: Tested


class ReplicateLine(Document):
    """A replicate: `identity` is the digest of all that changes it, `drawn` that of its texts.

    `permuted` are the rates of the winner over layers in other orders, `random` schedules that nothing selected; each
    has one seed. `n_fits` and `seconds` are of the fits that were done.
    """

    identity: str
    sample: str
    index: int
    drawn: str
    n_test: int
    arms: dict[str, ArmResult]
    baseline: Tested
    permuted: tuple[Schedule, ...]
    random: tuple[Schedule, ...]
    probe: Tested
    n_fits: int
    seconds: float
    environments: tuple[EnvironmentShare, ...]


def packed(right: ArrayLike) -> str:
    """Return which predictions are correct as text, eight to a byte."""
    return base64.b64encode(np.packbits(np.asarray(right, dtype=bool)).tobytes()).decode()


def unpacked(text: str, n: int) -> NDArray[np.float64]:
    """Return the first `n` of packed predictions, 1 for a correct one."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8), count=n).astype(np.float64)
