"""The attempts at a study's trials: their numbers lie in the study's database, so that they outlive the process."""

import math
from collections.abc import Sequence
from dataclasses import replace

from finetune_alf.clock import Stopwatch
from finetune_alf.compute import Environment
from finetune_alf.execute import MAX_ATTEMPTS
from finetune_alf.jobs.job import FitJob
from finetune_alf.study.records import TrialRecord, TrialState
from finetune_alf.study.store import PendingTrial, StudyStore
from finetune_alf.train.result import FitResult, ran_in


class TrialAttempts:
    """An AttemptLog of the trials of one study, by the keys of their jobs; attempts begin in this environment."""

    def __init__(self, store: StudyStore, environment: Environment) -> None:
        self._store, self._environment = store, environment
        self._trials: dict[str, PendingTrial] = {}
        self._watches: dict[str, Stopwatch] = {}

    def add(self, job: FitJob, trial: PendingTrial) -> None:
        """Add the job of a trial."""
        self._trials[job.key] = trial

    def trial(self, job: FitJob) -> PendingTrial:
        """Return the trial of a job."""
        return self._trials[job.key]

    def watch(self, job: FitJob) -> Stopwatch:
        """Return the stopwatch that began with the last attempt at a job."""
        return self._watches[job.key]

    def n_attempts(self, job: FitJob) -> int:
        """Return how many attempts at a trial have begun."""
        return self._trials[job.key].n_attempts

    def begin(self, job: FitJob) -> None:
        """Commit that an attempt begins."""
        self._watches[job.key] = Stopwatch()
        self._commit(job, n_attempts=self.n_attempts(job) + 1, failure=None, environment=self._environment)

    def withdraw(self, job: FitJob) -> None:
        """Take back the last attempt."""
        self._commit(job, n_attempts=max(self.n_attempts(job) - 1, 0))

    def fail(self, job: FitJob, failure: str) -> None:
        """Commit why the last attempt failed."""
        self._commit(job, n_attempts=self.n_attempts(job), failure=failure)

    def forget(self, job: FitJob) -> None:
        """Remove a job whose trial is finished."""
        del self._trials[job.key], self._watches[job.key]

    def _commit(self, job: FitJob, **changes: object) -> None:
        self._trials[job.key] = replace(self._trials[job.key], **changes)  # type: ignore[arg-type]
        self._store.write_attempts(self._trials[job.key])


def finished_record(trial: PendingTrial, result: FitResult, watch: Stopwatch) -> TrialRecord:
    """Return the trial that finishes now; one without a finite score has failed.

    Optuna would take an infinite score as the best.
    """
    assert trial.environment is not None  # noqa: S101 - an attempt has begun
    state: TrialState = "pruned" if result.stopped == "pruned" else "complete"
    reason = None
    if state == "complete" and (result.score is None or not math.isfinite(result.score)):
        state = "failed"
        reason = _without_score(result)
    return TrialRecord(
        number=trial.number,
        state=state,
        rates=trial.rates,
        score=result.score if state == "complete" else None,
        reason=reason,
        started_ms=watch.started_ms,
        ended_ms=watch.ended_ms,
        environment=ran_in(result, trial.environment),
        result=None if reason and result.score is not None else result,  # JSON has no NaN
    )


def _without_score(result: FitResult) -> str:
    """Return why a fit has no finite score, in words."""
    epochs = f"{len(result.epochs)} epoch{'' if len(result.epochs) == 1 else 's'}"
    if result.stopped == "diverged" or result.score is None:
        return f"diverged after {epochs}: the loss was not a finite number"
    return f"the score after {epochs} is {'not a number' if math.isnan(result.score) else 'infinite'}"


def given_up_record(trial: PendingTrial, watch: Stopwatch) -> TrialRecord:
    """Return the failed trial that has no attempts left."""
    assert trial.environment is not None  # noqa: S101 - an attempt has begun
    return TrialRecord(
        number=trial.number,
        state="failed",
        rates=trial.rates,
        score=None,
        reason=f"{trial.failure or 'its process died'}, in the last of {trial.n_attempts} attempts",
        started_ms=watch.started_ms,
        ended_ms=watch.ended_ms,
        environment=trial.environment,
        result=None,
    )


def untrained_record(trial: PendingTrial, environment: Environment, at_ms: int) -> TrialRecord:
    """Return the failed trial of rates at which nothing learns, which is not fitted."""
    return TrialRecord(
        number=trial.number,
        state="failed",
        rates=trial.rates,
        score=None,
        reason="no fit, since nothing learns at its rates: all are 0 where something could learn from the first epoch",
        started_ms=at_ms,
        ended_ms=at_ms,
        environment=environment,
        result=None,
    )


def pending_message(pending: Sequence[PendingTrial], n_finished: int) -> str:
    """Return which trials are pending at the end of a start, by the reason, and the way out."""
    numbers: dict[str | None, list[str]] = {}
    for trial in pending:
        numbers.setdefault(trial.failure, []).append(str(trial.number))
    named = {
        reason: f"trial {those[0]}" if len(those) == 1 else f"trials {', '.join(those)}"
        for reason, those in numbers.items()
    }
    reasons = "; ".join(f"{trials}: {failure}" for failure, trials in named.items())
    return (
        f"{len(pending)} of {len(pending) + n_finished} trials are pending: {reasons}. The others are finished and "
        "kept. Remove the cause, then run the same command again: it takes the pending ones over under their own "
        f"numbers. A trial is given up after {MAX_ATTEMPTS} attempts."
    )
