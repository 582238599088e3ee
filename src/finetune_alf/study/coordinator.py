"""Run a study: suggest params, submit fits to an executor, and record trials in the database.

Only this process writes to the database. Workers receive a job and return a result.
"""

import contextlib
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune_alf.compute import Environment
from finetune_alf.compute.environment import shares
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import PartialError
from finetune_alf.execute import MAX_ATTEMPTS, Executor, Outcome, Work, run_attempts
from finetune_alf.files import digest, hold_lock
from finetune_alf.jobs.job import FitJob
from finetune_alf.paths import Paths
from finetune_alf.rates import HEAD, Address, DecayedRates, LayerRates
from finetune_alf.seeds import child_seed
from finetune_alf.study.documents import StudyDocument
from finetune_alf.study.identity import study_identity
from finetune_alf.study.note import study_note, trial_notes
from finetune_alf.study.pruner import StudyPruner
from finetune_alf.study.records import TrialRecord, best_trial, elapsed_s, write_results
from finetune_alf.study.sampler import sampler_observations, suggest
from finetune_alf.study.spec import StudySpec
from finetune_alf.study.store import PendingTrial, StudyStore, open_store
from finetune_alf.study.trial_attempts import TrialAttempts, finished_record, given_up_record, now_ms, pending_message
from finetune_alf.train.result import EpochMetrics, FitResult

logger = logging.getLogger(__name__)

MAX_FAILURES_IN_A_ROW = 5
"""After more failed attempts in a row a study stops, and names their cause."""

LAYERWISE_DECAY = 0.95
"""Layer-wise decay of the enqueued `decayed` rates (Sun et al. 2019, section 5.3.3: the best of .85 to 1)."""

OnTrial = Callable[[TrialRecord], None]
OnEpoch = Callable[[PendingTrial, EpochMetrics], None]


@dataclass(frozen=True)
class StudyResult:
    """The trials of a study that has all of them."""

    records: tuple[TrialRecord, ...]
    best: TrialRecord
    database: Path
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
    mean_sizes: Mapping[Address, float] | None = None,
    on_trial: OnTrial | None = None,
    on_epoch: OnEpoch | None = None,
) -> StudyResult:
    """Run or resume a study until it has `n_trials`, and write the results of these: its first `n_trials`.

    `on_trial` is called with every finished trial: first with those in the database, in the order of their numbers,
    then with each new one after it is committed. `on_epoch` is called with a trial that goes on and each of its epochs.
    Each attempt at a trial is committed with the `environment` that it begins in. Failed and pruned trials count. A
    trial fails when its fit has no finite score. When its fit ends for a reason of the machine's, such as lack of
    memory, it is pending; so is the trial of an interrupted run. Pending trials are finished under their own numbers,
    and fail after MAX_ATTEMPTS. Where `n_trials` has been lowered, later trials stay in the database as they are.

    Raises LockedError while another process runs this study, StudyError when its database cannot be used, and
    PartialError when trials stay pending, or none is complete. Finished trials are kept in every case.
    """
    identity = study_identity(spec, sample.digest, encoder.identity, environment.precision)
    with (
        hold_lock(paths.studies / f"{name}.lock"),
        open_store(paths.studies, name, identity, spec.score_name, study_note(name, spec, sample, encoder)) as store,
    ):
        seed, precision = child_seed(spec.seed, "fit"), environment.precision
        template = FitJob("", spec.recipe, encoder_spec, sample.digest, seed, precision, "validation", spec.metric)
        coordinator = _Coordinator(
            name, spec, encoder.n_layers, store, template, environment, on_trial or _ignore, on_epoch or _ignore
        )
        coordinator.run(executor, work)
        records = coordinator.records
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
            n_trials=spec.n_trials,
            n_workers=executor.n_workers,
            n_fused=getattr(executor, "n_fused", 1),  # only one executor fuses
            environments=shares(record.environment for record in records),
            mean_sizes=dict(mean_sizes) if mean_sizes else None,
            seconds=elapsed_s(records),
        )
        write_results(paths.study_results(name), records, document)
        store.write_notes(trial_notes(records, spec.score_name))
        return StudyResult(tuple(records), best, store.path, elapsed_s(records))


class _Coordinator:
    """Suggests, submits and records the trials of one study."""

    def __init__(
        self,
        name: str,
        spec: StudySpec,
        n_layers: int,
        store: StudyStore,
        template: FitJob,
        environment: Environment,
        on_trial: OnTrial,
        on_epoch: OnEpoch,
    ) -> None:
        self.name, self.spec, self.n_layers, self.store, self.template = name, spec, n_layers, store, template
        self.on_trial, self.on_epoch = on_trial, on_epoch
        self.finished = {each.number: each for each in store.finished_trials() if each.number < spec.n_trials}
        self.pruner = StudyPruner(spec.pruner, spec.recipe.epochs, self.records) if spec.pruner else None
        self.attempts = TrialAttempts(store, environment)

    def _pending_trials(self) -> list[PendingTrial]:
        return [trial for trial in self.store.pending_trials() if trial.number < self.spec.n_trials]

    @property
    def records(self) -> list[TrialRecord]:
        """The finished trials among the first `n_trials`, in the order of their numbers."""
        return [self.finished[number] for number in sorted(self.finished)]

    def run(self, executor: Executor, work: Work[FitJob, FitResult]) -> None:
        for record in self.records:
            self.on_trial(record)
        run = run_attempts(executor, self._jobs(), work, self.attempts, self._report_epoch, MAX_FAILURES_IN_A_ROW)
        try:
            with contextlib.closing(run) as outcomes:
                for outcome in outcomes:
                    self._record(outcome)
        except PartialError as error:
            raise PartialError(f"studies.{self.name}: {error}") from error
        self._check_pending()

    def _jobs(self) -> Iterator[FitJob]:
        pending = self._pending_trials()
        n_created = len(self.finished) + len(pending)
        new = (self._create_trial(number) for number in range(n_created, self.spec.n_trials))
        for trial in itertools.chain(pending, new):
            equal, now = self._equal_trial(trial), now_ms()
            if equal is not None:
                update = {"number": trial.number, "repeats": equal.number, "started_ms": now, "ended_ms": now}
                self._finish(equal.model_copy(update=update))
            elif trial.n_attempts >= MAX_ATTEMPTS:
                self._finish(given_up_record(trial, now))
            else:
                yield self._job(trial)

    def _equal_trial(self, trial: PendingTrial) -> TrialRecord | None:
        """Return a complete trial with the same rates: a fit of `trial` would give its result to the bit.

        Under a pruner there is none, because the end of a trial depends on the trials before it.
        """
        if self.pruner:
            return None
        equal = (r for r in self.records if r.rates == trial.rates and r.state == "complete" and r.repeats is None)
        return next(equal, None)

    def _create_trial(self, number: int) -> PendingTrial:
        """Commit the next trial, with enqueued rates as long as there are any, then with suggested ones."""
        space, baseline = self.spec.space, self.spec.recipe.rates.at(self.n_layers)
        if number < len(self.spec.enqueue):
            rates = baseline if self.spec.enqueue[number] == "baseline" else self._decayed(baseline[HEAD])
            params = space.params_of(rates) or {}  # rates off the grid have no params, and are no observation
        else:
            observations = sampler_observations(self.records, space)
            params = suggest(self.spec.sampler, space, self.n_layers, observations, self.spec.seed, number)
            rates = space.layer_rates(params, self.n_layers, baseline[HEAD])
        return self.store.create_trial(params, space.distributions(self.n_layers), rates)

    def _decayed(self, head: float) -> LayerRates:
        return DecayedRates(rate=self.spec.recipe.rates.highest, decay=LAYERWISE_DECAY, head=head).at(self.n_layers)

    def _job(self, trial: PendingTrial) -> FitJob:
        key = f"studies.{self.name}/{self.store.path.stem}/{trial.number}"
        job = replace(self.template, key=key, recipe=self.spec.recipe.with_rates(trial.rates))
        self.attempts.add(job, trial)
        return job

    def _report_epoch(self, job: FitJob, epoch: EpochMetrics) -> bool:
        """Report a trial's epoch; return whether the trial continues."""
        trial = self.attempts.trial(job)
        self.on_epoch(trial, epoch)
        return self.pruner is None or not self.pruner.should_prune(trial.number, epoch)

    def _record(self, outcome: Outcome[FitJob, FitResult]) -> None:
        """Finish the trial of an attempt, or leave it pending."""
        job = outcome.job
        if outcome.result is not None:
            self._finish(finished_record(self.attempts.trial(job), outcome.result, self.attempts.started_ms(job)))
            return
        self.attempts.fail(job, outcome.failure or "no result")
        trial = self.attempts.trial(job)
        if trial.n_attempts >= MAX_ATTEMPTS:
            self._finish(given_up_record(trial, self.attempts.started_ms(job)))
        else:
            logger.warning("studies.%s: trial %d is pending: %s.", self.name, trial.number, trial.failure)

    def _finish(self, record: TrialRecord) -> None:
        """Commit a finished trial before anything else sees it."""
        self.store.finish_trial(record)
        self.finished[record.number] = record
        if self.pruner:
            self.pruner.tell(record)
        if record.reason:
            logger.warning("studies.%s: trial %d failed: %s.", self.name, record.number, record.reason)
        self.on_trial(record)

    def _check_pending(self) -> None:
        pending = self._pending_trials()
        if pending:
            raise PartialError(f"studies.{self.name}: {pending_message(pending, len(self.finished))}")


def _most_frequent_reason(records: Sequence[TrialRecord]) -> str:
    reason, n = Counter(record.reason or "pruned" for record in records).most_common(1)[0]
    return f"Most frequent reason, in {n} of {len(records)} trials: {reason}."


def _ignore(*_: object) -> None:
    return
