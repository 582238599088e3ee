"""The line search: the rate at which the full model does best on the validation split."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from finetune_alf.errors import InputError
from finetune_alf.train.result import FitResult


@dataclass(frozen=True)
class LineSearch:
    """Validation scores by rate, one a seed; None where a fit diverged. `where` is what errors call it."""

    where: str
    scores: Mapping[float, tuple[float | None, ...]]

    @property
    def rate(self) -> float:
        """The rate with the highest mean, the lower of equals; InputError where fits diverged at every rate."""
        means = self.means
        if not means:
            rates = ", ".join(f"{rate:g}" for rate in self.scores)
            raise InputError(f"{self.where}: must hold one at which no fit diverges, but got {rates}. Add a lower one.")
        return min(means, key=lambda rate: (-means[rate], rate))

    @property
    def means(self) -> dict[float, float]:
        """The mean score of each rate at which no fit diverged."""
        converged = {rate: [score for score in own if score is not None] for rate, own in self.scores.items()}
        return {rate: fmean(own) for rate, own in converged.items() if own and len(own) == len(self.scores[rate])}

    @property
    def is_at_edge(self) -> bool:
        """Whether the best rate is the lowest or the highest tried, so that a better one may lie beyond."""
        return self.rate in (min(self.scores), max(self.scores))


def line_search(where: str, fits: Iterable[tuple[float, FitResult]]) -> LineSearch:
    """Return the search over (rate, fit): nothing but the fits' validation scores are looked at."""
    scores: dict[float, list[float | None]] = {}
    for rate, result in fits:
        scores.setdefault(rate, []).append(validation_score(result))
    return LineSearch(where, {rate: tuple(own) for rate, own in scores.items()})


def validation_score(result: FitResult) -> float | None:
    """Return how the epoch whose weights were kept did on the validation split; None where the fit diverged."""
    return None if result.kept_epoch is None else result.epochs[result.kept_epoch].validation_score
