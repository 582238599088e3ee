"""The best single rate: each rate of the study's grid for all layers alike, in as many fits as the study has trials."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from finetune_alf.documents import Document
from finetune_alf.errors import PartialError
from finetune_alf.jobs.job import FitJob
from finetune_alf.rates import HEAD, LayerRates, key_text, setting_text
from finetune_alf.seeds import child_seed
from finetune_alf.train.result import FitResult


class TriedRate(Document):
    """A single rate: its validation scores by seed, None where the fit diverged; their mean, None where any did."""

    rate: float
    scores: tuple[float | None, ...]
    mean: float | None


class SingleRate(Document):
    """The best single rate of the study's grid, by its mean score on the validation split, after `n_fits` fits."""

    rate: float
    n_fits: int
    grid: tuple[TriedRate, ...]


def n_rounds(n_trials: int, grid: Sequence[float]) -> int:
    """Return how often each rate is fitted: as often as makes no more fits than trials, but at least once."""
    return max(1, n_trials // len(grid))


def uniform_rates(rate: float, baseline: LayerRates) -> LayerRates:
    """Return one rate for embeddings and layers, with the baseline's head."""
    return LayerRates.of(rate, [rate] * baseline.n_layers, baseline[HEAD])


def single_rate_jobs(
    grid: Sequence[float], baseline: LayerRates, template: FitJob, n_rounds: int, seed: int
) -> list[FitJob]:
    """Return a job for each rate and round, scored on the validation split; all rates have the same seeds."""
    return [
        replace(
            template,
            key=job_key(rate, index),
            recipe=template.fine_tuning.with_rates(uniform_rates(rate, baseline)),
            seed=child_seed(seed, "single_rate", index),
            score_on="validation",
        )
        for index in range(n_rounds)
        for rate in grid
    ]


def job_key(rate: float, seed_index: int) -> str:
    """Return the key of one fit."""
    return f"single-rate-{key_text(rate)}/seed-{seed_index}"


def best_single_rate(study: str, grid: Sequence[float], results: Mapping[str, FitResult], n_rounds: int) -> SingleRate:
    """Return the rate with the best mean score, of equal ones the lowest. PartialError if every rate diverged."""
    tried = [_tried(rate, [results[job_key(rate, index)].score for index in range(n_rounds)]) for rate in grid]
    scored = [(each.mean, -each.rate) for each in tried if each.mean is not None]
    if not scored:
        raise PartialError(
            f"studies.{study}: a single rate must be scored, but each of {', '.join(map(setting_text, grid))} "
            "diverged under some seed. Search lower rates."
        )
    return SingleRate(rate=-max(scored)[1], n_fits=len(grid) * n_rounds, grid=tuple(tried))


def _tried(rate: float, scores: Sequence[float | None]) -> TriedRate:
    finite = [score for score in scores if score is not None]
    return TriedRate(rate=rate, scores=tuple(scores), mean=fmean(finite) if len(finite) == len(scores) else None)
