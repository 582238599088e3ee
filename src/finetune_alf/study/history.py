"""The trials of a study as each of them sees the others: trial n sees those up to n - lag, and no later ones.

So neither what is proposed, nor what is pruned or repeated, depends on how many trials run at once or on which of them
ends first.
"""

from collections.abc import Iterable

from finetune_alf.rates import LayerRates
from finetune_alf.study.packed_trials import PackedTrials
from finetune_alf.study.records import TrialRecord, busy_s
from finetune_alf.study.sampler import AnyObservation, observation_of
from finetune_alf.study.space import AnySpace
from finetune_alf.study.spec import n_seen_by
from finetune_alf.study.store import PendingTrial


class TrialHistory:
    """The finished trials, and the open ones: created, and not ended in this start.

    The rates of a trial are an observation where they lie in the `space`.
    """

    def __init__(
        self, finished: Iterable[TrialRecord], pending: Iterable[PendingTrial], lag: int, space: AnySpace
    ) -> None:
        self._lag, self._space = lag, space
        self._finished = PackedTrials()
        self._observations: dict[int, AnyObservation | None] = {}
        self._spans: dict[int, tuple[int, int]] = {}
        self._open = {trial.number: trial.rates for trial in pending}
        self._fitted: dict[LayerRates, int] = {}  # the first complete trial with these rates that was fitted
        for record in finished:
            self.finish(record)

    @property
    def records(self) -> PackedTrials:
        """The finished trials, in the order of their numbers, those included that finish later."""
        return self._finished

    @property
    def busy_s(self) -> float:
        """The seconds in which at least one of the finished trials was under way."""
        return busy_s(self._spans.values())

    @property
    def n_open(self) -> int:
        """How many trials are open."""
        return len(self._open)

    def open(self, trial: PendingTrial) -> None:
        """Add a new trial."""
        self._open[trial.number] = trial.rates

    def finish(self, record: TrialRecord) -> None:
        """End a trial with its result."""
        self._open.pop(record.number, None)
        self._finished.add(record)
        self._observations[record.number] = observation_of(record, self._space)
        self._spans[record.number] = (record.started_ms, record.ended_ms)
        if record.state == "complete" and record.repeats is None:
            self._fitted[record.rates] = min(record.number, self._fitted.get(record.rates, record.number))

    def leave_pending(self, number: int) -> None:
        """End a trial without a result: the others see none of it in this start."""
        self._open.pop(number, None)

    def n_seen_by(self, number: int) -> int:
        """Return how many trials a trial can see: those with numbers below this."""
        return n_seen_by(number, self._lag)

    def observations_seen_by(self, number: int) -> list[AnyObservation]:
        """Return what a sampler sees of the finished trials that a trial sees, in the order of their numbers."""
        seen = (self._observations.get(one) for one in range(self.n_seen_by(number)))
        return [observation for observation in seen if observation is not None]

    def is_whole_for(self, number: int) -> bool:
        """Return whether all trials that a trial can see have ended."""
        return all(one >= self.n_seen_by(number) for one in self._open)

    def may_repeat_open(self, trial: PendingTrial) -> bool:
        """Return whether a trial sees an open one with the same rates."""
        n_seen = self.n_seen_by(trial.number)
        return any(number < n_seen and rates == trial.rates for number, rates in self._open.items())

    def equal_to(self, trial: PendingTrial) -> TrialRecord | None:
        """Return the first complete trial with the same rates that a trial sees: its own fit would give that result."""
        number = self._fitted.get(trial.rates)
        if number is None or number >= self.n_seen_by(trial.number):
            return None
        return self._finished.of_number(number)
