"""Run jobs once: their results are kept in a ledger, so that an interrupted stage can resume."""

from collections.abc import Callable, Sequence

from finetune_alf.compute import Environment
from finetune_alf.errors import PartialError
from finetune_alf.execute.attempts import MAX_ATTEMPTS, run_attempts
from finetune_alf.execute.jobs import Callbacks, Executor, Work
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.job_attempts import JobAttempts
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.train.result import EpochMetrics, FitResult, RecordedFit, recorded

OnResult = Callable[[FitJob, RecordedFit], None]
OnEpoch = Callable[[FitJob, EpochMetrics], None]


def run_jobs(
    jobs: Sequence[FitJob],
    executor: Executor,
    work: Work[FitJob, FitResult],
    ledger: Ledger,
    environment: Environment,
    on_result: OnResult,
    on_epoch: OnEpoch | None = None,
) -> dict[str, RecordedFit]:
    """Run every job that is not in the ledger yet, in this environment. Returns all results by the jobs' keys.

    Equal jobs under several keys run once, under the first of them. `on_result` is called for each result, those from
    the ledger first, `on_epoch` for each epoch of a fit that goes on. Jobs with fewer attempts run first, so that one
    that gets the process killed keeps no other from its result. Raises PartialError, naming the reasons, after all
    other jobs have finished, when a job failed or is given up.
    """
    results: dict[str, RecordedFit] = {}
    equal: dict[str, list[FitJob]] = {}
    missing: list[FitJob] = []

    def finish(job: FitJob, result: RecordedFit) -> None:
        for each in equal[ledger.identity(job)]:
            results[each.key] = result
            on_result(each, result)

    for job in jobs:
        equal.setdefault(ledger.identity(job), []).append(job)
    for same in equal.values():
        if previous := ledger.find(same[0]):
            finish(same[0], previous)
        else:
            missing.append(same[0])

    def report(job: FitJob, epoch: EpochMetrics) -> bool:
        if on_epoch:
            on_epoch(job, epoch)
        return True

    callbacks = Callbacks(on_report=report, may_stop=False)
    failures = _run_missing(missing, executor, work, ledger, environment, finish, callbacks)
    if failures:
        reasons = "; ".join(failure.removesuffix(".") for failure in failures)
        raise PartialError(
            f"{len(failures)} of {len(equal)} fits failed, the other results are saved: {reasons}. "
            "Run the same command again to run the failed ones."
        )
    return results


def _run_missing(
    jobs: Sequence[FitJob],
    executor: Executor,
    work: Work[FitJob, FitResult],
    ledger: Ledger,
    environment: Environment,
    finish: OnResult,
    callbacks: Callbacks,
) -> list[str]:
    """Run the jobs, and return the failures. Attempts at a reported job count from 0 at the next start."""
    attempts = JobAttempts(ledger)
    given_up = [job for job in jobs if attempts.n_attempts(job) >= MAX_ATTEMPTS]
    waiting = sorted((job for job in jobs if job not in given_up), key=attempts.n_attempts)
    failures = [f"{job.key}: its process died in {MAX_ATTEMPTS} attempts, and it was left out" for job in given_up]
    for outcome in run_attempts(executor, iter(waiting), work, attempts, callbacks):
        if outcome.result is None:
            failures.append(f"{outcome.job.key}: {outcome.failure}")
        else:
            result = recorded(outcome.result, environment)
            ledger.add(outcome.job, result)
            finish(outcome.job, result)
        attempts.clear(outcome.job)
    for job in given_up:
        attempts.clear(job)
    return failures
