"""Confirmation: the picked trials fitted again over fresh seeds and scored on texts that no trial saw."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from finetune_alf.errors import PartialError
from finetune_alf.register.candidates import Candidate
from finetune_alf.seeds import child_seed
from finetune_alf.stats import mean_interval
from finetune_alf.study.records import TrialRecord
from finetune_alf.train.job import FitJob
from finetune_alf.train.result import FitResult


def confirmation_jobs(picked: Sequence[TrialRecord], template: FitJob, n_seeds: int, seed: int) -> list[FitJob]:
    """Return a job for each picked trial and seed, all trials under the same seeds, none of them the study's."""
    return [
        replace(
            template,
            key=job_key(record.number, index),
            recipe=template.recipe.with_rates(record.layer_rates),
            seed=child_seed(seed, "confirmation", index),
            score_on="confirmation",
        )
        for record in picked
        for index in range(n_seeds)
    ]


def job_key(trial: int, seed_index: int) -> str:
    """Return the key of one confirmation."""
    return f"trial-{trial}/seed-{seed_index}"


def confirmed(
    record: TrialRecord, results: Mapping[str, FitResult], n_seeds: int, truth: Sequence[int]
) -> Candidate | None:
    """Return a trial's scores over its seeds, with the 95 % interval of their mean accuracy; None if one diverged."""
    mine = [results[job_key(record.number, index)] for index in range(n_seeds)]
    scores = [result.score for result in mine if result.score is not None]
    if len(scores) < n_seeds or record.score is None:
        return None
    interval = mean_interval(np.array([np.equal(result.predictions, truth) for result in mine], dtype=float))
    return Candidate(
        trial=record.number,
        rates=record.rates,
        search_score=record.score,
        scores=tuple(scores),
        mean=float(np.mean(scores)),
        low=interval.low,
        high=interval.high,
    )


def at_least_two(study: str, candidates: Sequence[Candidate | None]) -> list[Candidate]:
    """Return those that did not diverge; PartialError when fewer than two are left."""
    left = [candidate for candidate in candidates if candidate is not None]
    if len(left) < 2:
        raise PartialError(
            f"studies.{study}: must have two trials that hold over fresh seeds, but {len(left)} of {len(candidates)} "
            "did not diverge. Raise register.n_top, or search lower rates."
        )
    return left
