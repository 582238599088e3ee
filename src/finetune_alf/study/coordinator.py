"""Run a study: suggest params, submit fits to an executor, and record trials in the database.

Only this process writes to the database. Workers receive a job and return a result.
"""

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from finetune_alf.checksums import digest
from finetune_alf.compute import Environment
from finetune_alf.compute.environment import shares
from finetune_alf.crashpoint import crashpoint
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import PartialError
from finetune_alf.execute import MAX_ATTEMPTS, Callbacks, Executor, Outcome, Work, run_attempts
from finetune_alf.jobs.job import FitJob
from finetune_alf.locks import hold_lock
from finetune_alf.paths import Paths
from finetune_alf.rates import Address
from finetune_alf.seeds import child_seed
from finetune_alf.study.databases import study_database
from finetune_alf.study.documents import StudyDocument
from finetune_alf.study.history import TrialHistory
from finetune_alf.study.identity import study_identity
from finetune_alf.study.lost_database import warn_of_lost_database
from finetune_alf.study.note import study_note, trial_notes
from finetune_alf.study.pruner import StudyPruner
from finetune_alf.study.records import TrialRecord, best_trial, elapsed_s, write_results
from finetune_alf.study.server import StudyServer
from finetune_alf.study.spec import StudySpec
from finetune_alf.study.store import PendingTrial, StudyStore, open_store
from finetune_alf.study.trial_attempts import TrialAttempts, finished_record, given_up_record, pending_message
from finetune_alf.study.trial_jobs import TrialJobs
from finetune_alf.train.result import EpochMetrics, FitResult

logger = logging.getLogger(__name__)

MAX_FAILURES_IN_A_ROW = 5
"""After more failed attempts in a row a study stops, and names their cause."""

OnTrial = Callable[[TrialRecord], None]
OnEpoch = Callable[[PendingTrial, EpochMetrics], None]


@dataclass(frozen=True)
class StudyResult:
    """The trials of a study that has all of them; `database` is its path, or its place on a server."""

    records: Sequence[TrialRecord]
    best: TrialRecord
    database: str
    seconds: float


def run_study(
    name: str,
    spec: StudySpec,
    *,
    sample: SampleIdentity,
    encoder: EncoderIdentity,
    encoder_spec: EncoderSpec,
    environment: Environment,
    executor: Executor,
    work: Work[FitJob, FitResult],
    paths: Paths,
    server: StudyServer | None = None,
    mean_sizes: Mapping[Address, float] | None = None,
    on_trial: OnTrial | None = None,
    on_earlier: OnTrial | None = None,
    on_epoch: OnEpoch | None = None,
) -> StudyResult:
    """Run or resume a study until it has `n_trials`, or `max_hours` of fitting are over; write its first `n_trials`.

    Its database is on `server`; without one, a file in `paths.studies`.

    `on_trial` is called with every finished trial: first with those in the database, in the order of their numbers,
    then with each new one after it is committed; the first ones go to `on_earlier` where it is given. `on_epoch` is
    called with a trial that goes on and each of its epochs.
    Each attempt at a trial is committed with the `environment` that it begins in. Failed and pruned trials count. A
    trial fails when its fit has no finite score. When its fit ends for a reason of the machine's, such as lack of
    memory, it is pending; so is the trial of an interrupted run. Pending trials are finished under their own numbers,
    and fail after MAX_ATTEMPTS. Where `n_trials` has been lowered, later trials stay in the database as they are.

    Raises LockedError while another process runs this study, StudyError when its database cannot be used, WorkerError
    when workers cannot start, and PartialError when trials stay pending, or none is complete. Finished trials are kept
    in every case.
    """
    identity = study_identity(spec, sample.digest, encoder.identity, environment.precision)
    database, results = study_database(paths, name, identity, server), paths.study_results(name)
    with contextlib.ExitStack() as stack:
        stack.enter_context(hold_lock(paths.studies / f"{name}.lock"))
        warn_of_lost_database(database, results, identity)
        note = study_note(name, spec, sample, encoder)
        store = stack.enter_context(open_store(database, identity, spec.score_name, note))
        seed, precision = child_seed(spec.seed, "fit"), environment.precision
        template = FitJob("", spec.recipe, encoder_spec, sample.digest, seed, precision, "validation", spec.metric)
        on_trial = on_trial or _ignore
        finished = [record for record in store.finished_trials() if record.number < spec.n_trials]
        coordinator = _Coordinator(
            name, spec, encoder.n_layers, store, finished, template, environment, on_trial, on_epoch or _ignore
        )
        for record in finished:
            (on_earlier or on_trial)(record)
        del finished  # as objects they take many times the memory that they take in the history
        coordinator.run(executor, work)
        records = coordinator.history.records
        best = best_trial(records)
        if best is None:
            raise PartialError(f"studies.{name}: no trial is complete. {_most_frequent_reason(records)}")
        document = StudyDocument(
            name=name,
            digest=digest(identity),
            encoder=encoder,
            sample=sample,
            metric=spec.score_name,
            space=spec.space,
            sampler=spec.sampler,
            pruner=spec.pruner,
            seed=spec.seed,
            enqueue=spec.enqueue,
            recipe=spec.recipe,
            n_trials=len(records),
            n_workers=executor.n_workers,
            n_fused=executor.n_fused,
            environments=shares(record.environment for record in records),
            mean_sizes=dict(mean_sizes) if mean_sizes else None,
            seconds=elapsed_s(records),
        )
        write_results(results, records, document)
        store.write_notes(trial_notes(records, spec.score_name))
        return StudyResult(records, best, store.place, elapsed_s(records))


class _Coordinator:
    """Suggests, submits and records the trials of one study."""

    def __init__(
        self,
        name: str,
        spec: StudySpec,
        n_layers: int,
        store: StudyStore,
        finished: Sequence[TrialRecord],
        template: FitJob,
        environment: Environment,
        on_trial: OnTrial,
        on_epoch: OnEpoch,
    ) -> None:
        self.name, self.spec, self.store, self.template = name, spec, store, template
        self.on_trial, self.on_epoch = on_trial, on_epoch
        lag = spec.sampler.lag
        self.pending = self._pending_trials()  # at the start
        self.history = TrialHistory(finished, self.pending, lag, spec.space)
        self.pruner = StudyPruner(spec.pruner, spec.recipe.epochs, finished, lag) if spec.pruner else None
        self.attempts = TrialAttempts(store, environment)
        self.jobs = TrialJobs(spec, n_layers, store, self.history, environment, job_of=self._job, finish=self._finish)

    def _pending_trials(self) -> list[PendingTrial]:
        return [trial for trial in self.store.pending_trials() if trial.number < self.spec.n_trials]

    def run(self, executor: Executor, work: Work[FitJob, FitResult]) -> None:
        n_at_once = executor.n_workers * executor.n_fused
        self._warn_of_idle_workers(n_at_once)
        jobs = self.jobs.jobs(self.pending, n_at_once)
        callbacks = Callbacks(on_report=self._report_epoch, may_stop=self.pruner is not None)
        run = run_attempts(executor, jobs, work, self.attempts, callbacks, MAX_FAILURES_IN_A_ROW)
        try:
            with contextlib.closing(run) as outcomes:
                for outcome in outcomes:
                    self._record(outcome)
        except PartialError as error:
            raise PartialError(f"studies.{self.name}: {error}") from error
        self._check_pending()

    def _warn_of_idle_workers(self, n_at_once: int) -> None:
        lag = self.spec.max_at_once
        if lag is not None and lag < n_at_once and len(self.history.records) < self.spec.n_trials:
            logger.warning(
                "studies.%s: %d trials could run at once, but sampler.lag is %d: each trial depends on the results of "
                "the trials up to %d before it, so that no more than %d run. Set studies.%s.sampler.lag to %d to run "
                "them side by side; the trials are the same for any number of workers up to it. It starts a new study.",
                *(self.name, n_at_once, lag, lag, lag, self.name, n_at_once),
            )

    def _job(self, trial: PendingTrial) -> FitJob:
        key = f"studies.{self.name}/{self.store.key}/{trial.number}"
        job = replace(self.template, key=key, recipe=self.spec.recipe.with_rates(trial.rates))
        self.attempts.add(job, trial)
        return job

    def _report_epoch(self, job: FitJob, epoch: EpochMetrics) -> bool:
        """Report a trial's epoch; return whether the trial continues."""
        crashpoint("epoch")
        trial = self.attempts.trial(job)
        self.on_epoch(trial, epoch)
        return self.pruner is None or not self.pruner.should_prune(trial.number, epoch)

    def _record(self, outcome: Outcome[FitJob, FitResult]) -> None:
        """Finish the trial of an attempt, or leave it pending."""
        job = outcome.job
        if outcome.result is not None:
            self._finish(finished_record(self.attempts.trial(job), outcome.result, self.attempts.watch(job)))
            self.attempts.forget(job)
            return
        self.attempts.fail(job, outcome.failure or "no result")
        trial = self.attempts.trial(job)
        self.history.leave_pending(trial.number)
        if trial.n_attempts >= MAX_ATTEMPTS:
            self._finish(given_up_record(trial, self.attempts.watch(job)))
        else:
            logger.warning("studies.%s: trial %d is pending: %s.", self.name, trial.number, trial.failure)

    def _finish(self, record: TrialRecord) -> None:
        """Commit a finished trial before anything else sees it."""
        self.store.finish_trial(record)
        self.history.finish(record)
        if self.pruner:
            self.pruner.tell(record)
        if record.reason:
            logger.warning("studies.%s: trial %d failed: %s.", self.name, record.number, record.reason)
        self.on_trial(record)

    def _check_pending(self) -> None:
        pending = self._pending_trials()
        if pending:
            raise PartialError(f"studies.{self.name}: {pending_message(pending, len(self.history.records))}")


def _most_frequent_reason(records: Sequence[TrialRecord]) -> str:
    reason, n = Counter(record.reason or "pruned" for record in records).most_common(1)[0]
    return f"Most frequent reason, in {n} of {len(records)} trials: {reason}."


def _ignore(*_: object) -> None:
    return
