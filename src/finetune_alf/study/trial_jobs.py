"""The jobs of a study's trials: those of pending ones, then those of new ones, each when it sees what it depends on."""

from collections.abc import Callable

from finetune_alf.clock import Stopwatch
from finetune_alf.compute import Environment
from finetune_alf.execute import MAX_ATTEMPTS, NOT_READY, Jobs
from finetune_alf.jobs.job import FitJob
from finetune_alf.study.history import TrialHistory
from finetune_alf.study.proposals import Proposals
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.spec import StudySpec
from finetune_alf.study.store import PendingTrial, StudyStore
from finetune_alf.study.trial_attempts import given_up_record, untrained_record


class TrialJobs:
    """Creates the trials of a study, and yields what must be fitted of them.

    `finish` is called with the record of a trial that needs no fit: it repeats another, nothing learns at its rates, or
    it has no attempts left. `environment` is that of this start.
    """

    def __init__(
        self,
        spec: StudySpec,
        n_layers: int,
        store: StudyStore,
        history: TrialHistory,
        environment: Environment,
        *,
        job_of: Callable[[PendingTrial], FitJob],
        finish: Callable[[TrialRecord], None],
    ) -> None:
        self._spec, self._store, self._history, self._environment = spec, store, history, environment
        self._job_of, self._finish = job_of, finish
        self._proposals = Proposals(spec, n_layers)
        self._distributions = spec.space.distributions(n_layers)

    def jobs(self, pending: list[PendingTrial], n_at_once: int) -> Jobs[FitJob]:
        """Yield the jobs of pending trials and of new ones, until the study has all of its trials or its time is up.

        Up to `n_at_once` are fitted at once; others are created ahead, but not where the time could be up by then.
        """
        n_created = len(self._history.records) + len(pending)
        for trial in pending:
            yield from self._jobs_of(trial)
        for number in range(n_created, self._spec.n_trials):
            while self._must_wait_for_results(number) or self._is_too_early(n_at_once):
                yield NOT_READY
            if self._time_is_up():
                return
            yield from self._jobs_of(self._create_trial(number))

    def _jobs_of(self, trial: PendingTrial) -> Jobs[FitJob]:
        while self._may_not_begin(trial):
            yield NOT_READY
        equal, watch = self._equal_trial(trial), Stopwatch()
        now = watch.started_ms
        if equal is not None:
            update = {"number": trial.number, "repeats": equal.number, "started_ms": now, "ended_ms": now}
            self._finish(equal.model_copy(update=update))
        elif not self._spec.recipe.learns(trial.rates):
            self._finish(untrained_record(trial, self._environment, now))
        elif trial.n_attempts >= MAX_ATTEMPTS:
            self._finish(given_up_record(trial, watch))
        else:
            yield self._job_of(trial)

    def _is_too_early(self, n_at_once: int) -> bool:
        return self._spec.max_hours is not None and self._history.n_open >= n_at_once

    def _time_is_up(self) -> bool:
        limit = self._spec.max_hours
        return limit is not None and self._history.busy_s >= limit * 3600

    def _must_wait_for_results(self, number: int) -> bool:
        depends = self._proposals.depend_on_results(number, self._history.n_seen_by(number))
        return depends and not self._history.is_whole_for(number)

    def _may_not_begin(self, trial: PendingTrial) -> bool:
        """Return whether a pruner will compare the trial with one that goes on, or it may repeat one that does."""
        if self._spec.pruner:
            return not self._history.is_whole_for(trial.number)
        return self._history.may_repeat_open(trial)

    def _equal_trial(self, trial: PendingTrial) -> TrialRecord | None:
        """Return a complete trial whose result `trial` repeats.

        Under a pruner there is none, because the end of a trial depends on the trials before it.
        """
        return None if self._spec.pruner else self._history.equal_to(trial)

    def _create_trial(self, number: int) -> PendingTrial:
        """Commit the next trial."""
        params, rates = self._proposals.propose(number, self._history.observations_seen_by(number))
        trial = self._store.create_trial(number, params, self._distributions, rates)
        self._history.open(trial)
        return trial
