"""Cell lines: a fit of an experiment as one line of its JSONL file, as far as all experiments have it alike."""

from collections.abc import Collection
from statistics import fmean

from finetune_alf.running.cell_runs import FitLine, fields_of
from finetune_alf.train.result import FitResult

__all__ = ["CellLine", "fields_of", "time_of_a_fit"]


class CellLine(FitLine):
    """A cell's line; each experiment adds what its cells differ in."""


def time_of_a_fit(fits: Collection[FitLine | FitResult]) -> float:
    """Return the mean seconds of fits; those that diverged, which stops them early, count where all did."""
    return fmean(fit.seconds for fit in [fit for fit in fits if fit.stopped != "diverged"] or fits)
