"""One score made of several tasks' scores, resampled: texts task by task, seeds for all tasks together."""

from collections.abc import Callable, Mapping

import numpy as np

from finetune_alf.stats.measured import Values, interval_of, resampled

__all__ = ["Combine", "Values", "combined", "interval_of", "resampled"]

Combine = Callable[[Mapping[str, float]], float]
"""Makes one score of the tasks' scores, by task."""


def combined(values: Mapping[str, Values], combine: Combine) -> Values:
    """Return the score made of the tasks' scores, in each resample and for each fit seed."""
    tasks, stacked = list(values), np.stack(list(values.values()), axis=-1)  # (1 + n_resamples, n_seeds, tasks)
    each = [combine(dict(zip(tasks, scores, strict=True))) for scores in stacked.reshape(-1, len(tasks)).tolist()]
    return np.array(each).reshape(stacked.shape[:-1])
