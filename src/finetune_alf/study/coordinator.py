"""The one writer of a study: proposes, hands out, records. Workers get a job and give a result, and see no database."""

import contextlib
import itertools
import json
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import PartialError
from finetune_alf.execute import Executor, Outcome, Work
from finetune_alf.files import digest, hold_lock
from finetune_alf.paths import Paths
from finetune_alf.rates import HEAD, DecayedRates, LayerRates
from finetune_alf.seeds import child_seed
from finetune_alf.study.identity import identity_of
from finetune_alf.study.pruner import Judge
from finetune_alf.study.records import TrialRecord, TrialState, best_of, seconds_of, write_results
from finetune_alf.study.sampler import Tried, propose
from finetune_alf.study.spec import StudySpec
from finetune_alf.study.store import Begun, StudyStore, open_store
from finetune_alf.train.job import FitJob
from finetune_alf.train.result import EpochMetrics, FitResult

logger = logging.getLogger(__name__)

MAX_FAILURES = 5
"""How many trials may fail in a row before the study stops."""

DECAY = 0.95
"""Layer-wise decay of the enqueued `decayed` vector (Sun et al. 2019, section 5.3.3: the best of .85 to 1)."""

OnTrial = Callable[[TrialRecord], None]
OnEpoch = Callable[[int, EpochMetrics], None]


@dataclass(frozen=True)
class StudyResult:
    """A study that has all its trials."""

    records: tuple[TrialRecord, ...]
    best: TrialRecord
    database: Path
    seconds: float


def run_study(
    name: str,
    spec: StudySpec,
    *,
    sample_digest: str,
    encoder_spec: EncoderSpec,
    encoder_identity: str,
    n_layers: int,
    executor: Executor,
    work: Work[FitJob, FitResult],
    paths: Paths,
    on_trial: OnTrial | None = None,
    on_epoch: OnEpoch | None = None,
    about: Mapping[str, Any] | None = None,
) -> StudyResult:
    """Bring a study to its number of trials, from wherever it stands, and write its results.

    `about` is what else study.json shall say: the sample's sizes, the commit.

    `on_trial` gets every finished trial of the database at the start, in the order of their numbers, and then each new
    one once it is committed: what it does with them can be repeated. Failed and pruned trials count. Trials begun
    before a kill are finished under their own numbers, even if n_trials has been lowered since.

    Raises LockedError while another process runs this study, StudyError when its database cannot be used, and
    PartialError when trials keep failing; whatever happens, finished trials are kept.
    """
    identity = identity_of(spec, sample_digest, encoder_identity)
    with (
        hold_lock(paths.studies / f"{name}.lock"),
        open_store(paths.studies, name, identity) as store,
    ):
        template = FitJob(
            "", spec.recipe, encoder_spec, sample_digest, child_seed(spec.seed, "fit"), "validation", spec.metric
        )
        coordinator = _Coordinator(name, spec, n_layers, store, template, on_trial or _ignore, on_epoch or _ignore)
        coordinator.run(executor, work)
        records = coordinator.records
        best = best_of(records)
        if best is None:
            raise PartialError(f"studies.{name}: must have a trial that ends well, but got {_cause(records)}")
        told = {
            "name": name,
            "digest": digest(identity),
            "encoder": {"name": spec.encoder, "identity": encoder_identity, "n_layers": n_layers},
            "sample": {"name": spec.sample, "digest": sample_digest},
            **json.loads(spec.model_dump_json(exclude={"encoder", "sample"})),
            "metric": spec.score_name,
            "n_workers": executor.n_workers,
            "n_fused": getattr(executor, "n_fused", 1),  # trials proposed at a time; only one executor fuses
            **(about or {}),
        }
        write_results(paths.study_results(name), records, told)
        return StudyResult(tuple(records), best, store.path, seconds_of(records))


class _Coordinator:
    """Proposes, hands out and records the trials of one study."""

    def __init__(
        self,
        name: str,
        spec: StudySpec,
        n_layers: int,
        store: StudyStore,
        template: FitJob,
        on_trial: OnTrial,
        on_epoch: OnEpoch,
    ) -> None:
        self.name, self.spec, self.n_layers, self.store, self.template = name, spec, n_layers, store, template
        self.on_trial, self.on_epoch = on_trial, on_epoch
        self.finished = {record.number: record for record in store.finished()}
        self.judge = Judge(spec.pruner, self.records) if spec.pruner else None
        self.running: dict[str, tuple[Begun, int]] = {}  # job key -> trial, when it was handed out (ms)
        self.n_failures = 0

    @property
    def records(self) -> list[TrialRecord]:
        """The finished trials, in the order of their numbers."""
        return [self.finished[number] for number in sorted(self.finished)]

    def run(self, executor: Executor, work: Work[FitJob, FitResult]) -> None:
        for record in self.records:
            self.on_trial(record)
        with contextlib.closing(executor.run(self._jobs(), work, self._hear)) as outcomes:
            for outcome in outcomes:
                self._record(outcome)

    def _jobs(self) -> Iterator[FitJob]:
        left_over = self.store.begun()
        n_begun = len(self.finished) + len(left_over)
        fresh = (self._begin(number) for number in range(n_begun, self.spec.n_trials))
        for begun in itertools.chain(left_over, fresh):
            twin = self._twin(begun)
            if twin is None:
                yield self._job(begun)
            else:
                now = _now_ms()
                repeated = {"number": begun.number, "repeats": twin.number, "started_ms": now, "ended_ms": now}
                self._finish(twin.model_copy(update=repeated))

    def _twin(self, begun: Begun) -> TrialRecord | None:
        """Return a complete trial with the same rates: all else being the same, its result is this one's to the bit.

        Where a pruner judges, what became of a trial depends on when it ran, and it is run again.
        """
        if self.judge:
            return None
        same = (r for r in self.records if r.rates == begun.rates and r.state == "complete" and r.repeats is None)
        return next(same, None)

    def _begin(self, number: int) -> Begun:
        """Commit the next trial: an enqueued vector, as long as there are some, then the sampler's."""
        space, baseline = self.spec.space, self.spec.recipe.rates.at(self.n_layers)
        if number < len(self.spec.enqueue):
            rates = baseline if self.spec.enqueue[number] == "baseline" else self._decayed(baseline[HEAD])
            params = space.params_of(rates) or {}  # off the grid it runs as it is, and the sampler learns nothing
        else:
            params = propose(self.spec.sampler, space, self.n_layers, self._tried(), self.spec.seed, number)
            rates = space.layer_rates(params, self.n_layers, baseline[HEAD])
        return self.store.begin(params, space.distributions(self.n_layers), rates)

    def _decayed(self, head: float) -> LayerRates:
        return DecayedRates(rate=self.spec.recipe.rates.highest, decay=DECAY, head=head).at(self.n_layers)

    def _tried(self) -> list[Tried]:
        by_params = [(self.spec.space.params_of(record.layer_rates), record.score) for record in self.records]
        return [Tried(params, score) for params, score in by_params if params is not None and score is not None]

    def _job(self, begun: Begun) -> FitJob:
        key = f"studies.{self.name}/{self.store.path.stem}/{begun.number}"
        self.running[key] = (begun, _now_ms())
        return replace(self.template, key=key, recipe=self.spec.recipe.with_rates(LayerRates(begun.rates)))

    def _hear(self, job: FitJob, epoch: EpochMetrics) -> bool:
        number = self.running[job.key][0].number
        self.on_epoch(number, epoch)
        return self.judge is None or self.judge.go_on(number, epoch)

    def _record(self, outcome: Outcome[FitJob, FitResult]) -> None:
        """Commit a trial's end first; everything else follows and can be repeated."""
        begun, started_ms = self.running.pop(outcome.job.key)
        self._finish(_record_of(begun, outcome, started_ms))

    def _finish(self, record: TrialRecord) -> None:
        self.store.finish(record)
        self.finished[record.number] = record
        if self.judge:
            self.judge.finish(record)
        self.on_trial(record)
        self._count_failure(record)

    def _count_failure(self, record: TrialRecord) -> None:
        self.n_failures = self.n_failures + 1 if record.state == "failed" else 0
        if record.reason:
            logger.warning("studies.%s: trial %d failed: %s.", self.name, record.number, record.reason)
        if self.n_failures > MAX_FAILURES:
            failed = [record for record in self.records if record.state == "failed"]
            raise PartialError(
                f"studies.{self.name}: must not fail more than {MAX_FAILURES} times in a row, but got {_cause(failed)} "
                "Remove the cause; started again, the study goes on."
            )


def _record_of(begun: Begun, outcome: Outcome[FitJob, FitResult], started_ms: int) -> TrialRecord:
    """Judge a job's outcome: Optuna itself would take an infinite score for the best."""
    result, reason = outcome.result, outcome.failure
    state: TrialState = "pruned" if result is not None and result.stopped == "pruned" else "complete"
    if result is not None and state == "complete" and (result.score is None or not math.isfinite(result.score)):
        reason = f"{result.stopped} after {len(result.epochs)} epochs, with the score {result.score}"
        result = result if result.score is None else None  # JSON has no NaN
    return TrialRecord(
        number=begun.number,
        state="failed" if reason else state,
        rates=begun.rates,
        score=result.score if result and state == "complete" else None,
        reason=reason,
        started_ms=started_ms,
        ended_ms=_now_ms(),
        result=result,
    )


def _cause(records: Sequence[TrialRecord]) -> str:
    reasons = Counter(record.reason or "pruned" for record in records)
    reason, times = reasons.most_common(1)[0]
    return f"{len(records)} without a score, {times} of them because of: {reason}."


def _now_ms() -> int:
    return round(time.time() * 1000)


def _ignore(*_: object) -> None:
    return
