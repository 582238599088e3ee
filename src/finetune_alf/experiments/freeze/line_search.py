"""The line search: the learning rate at which the full model has the best validation score."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from finetune_alf.errors import InputError
from finetune_alf.rates import setting_text
from finetune_alf.train.result import FitResult


@dataclass(frozen=True)
class LineSearch:
    """Validation scores by rate, one a seed; None where a fit diverged. `key` names the rates in errors."""

    key: str
    scores: Mapping[float, tuple[float | None, ...]]

    @property
    def rate(self) -> float:
        """The rate with the highest mean, the lowest of equal ones; InputError if fits diverged at every rate."""
        means = self.means
        if not means:
            rates = ", ".join(map(setting_text, self.scores))
            raise InputError(f"{self.key}: must have one at which no fit diverges, but got {rates}. Add a lower one.")
        return min(means, key=lambda rate: (-means[rate], rate))

    @property
    def means(self) -> dict[float, float]:
        """The mean score of each rate at which no fit diverged."""
        return {
            rate: fmean(score for score in scores if score is not None)
            for rate, scores in self.scores.items()
            if scores and None not in scores
        }

    @property
    def is_at_edge(self) -> bool:
        """Whether the best rate is the lowest or the highest tried, so that a better one may lie beyond."""
        return self.rate in (min(self.scores), max(self.scores))


def line_search(key: str, fits: Iterable[tuple[float, FitResult]]) -> LineSearch:
    """Return the search over (rate, fit); it reads the fits' validation scores only."""
    scores: dict[float, list[float | None]] = {}
    for rate, result in fits:
        scores.setdefault(rate, []).append(validation_score(result))
    return LineSearch(key, {rate: tuple(by_seed) for rate, by_seed in scores.items()})


def validation_score(result: FitResult) -> float | None:
    """Return the validation score of the epoch whose weights were kept; None if the fit diverged."""
    return None if result.kept_epoch is None else result.epochs[result.kept_epoch].validation_score
