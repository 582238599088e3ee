"""Prune trials by the validation score of their epochs, Optuna's intermediate values.

A trial is compared with the finished ones that it sees, those up to its number minus the lag. Their epochs are reported
again when a study is resumed, so that it prunes the same trials as a study that was not interrupted.
"""

from collections.abc import Container, Iterable

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from finetune_alf.study.records import TrialRecord
from finetune_alf.study.sampler import silence_optuna
from finetune_alf.study.spec import AnyPruner, MedianPruner, n_seen_by
from finetune_alf.train.result import EpochMetrics


class StudyPruner:
    """An Optuna pruner with the intermediate values of a study's trials, of `n_epochs` epochs each.

    `finished` are the trials before this start; trial n is compared with trials up to n - `lag`.
    """

    def __init__(self, spec: AnyPruner, n_epochs: int, finished: Iterable[TrialRecord], lag: int = 1) -> None:
        self._n_epochs, self._lag = n_epochs, lag
        self._pruner, self._storage = _optuna_pruner(spec), optuna.storages.InMemoryStorage()
        silence_optuna()
        optuna.create_study(storage=self._storage, study_name=_NAME, direction="maximize")
        self._running: dict[int, Trial] = {}
        self._finished: dict[int, int] = {}  # number of a trial -> its number in the in-memory study
        for record in finished:
            for epoch in record.result.epochs if record.result else ():
                self.should_prune(record.number, epoch)
            self.tell(record)

    def should_prune(self, number: int, epoch: EpochMetrics) -> bool:
        """Report an epoch of trial `number`, and return whether the trial should be pruned now.

        A trial that starts over, because its worker died, gets the answers that it had. The answer after the last epoch
        is no: pruning would save nothing then, and cost the trial its score.
        """
        if epoch.epoch == 0 or number not in self._running:
            self._running[number] = self._study_seen_by(number).ask()
        if epoch.validation_score is None:
            return False
        trial, n_completed = self._running[number], epoch.epoch + 1
        trial.report(epoch.validation_score, step=n_completed)
        return n_completed < self._n_epochs and trial.should_prune()

    def tell(self, record: TrialRecord) -> None:
        """Finish a trial with its state and score."""
        trial = self._running.pop(record.number, None)
        if trial is None:
            return
        self._finished[record.number] = trial.number
        if record.state == "complete":
            trial.study.tell(trial, record.score)
        else:
            trial.study.tell(trial, state=TrialState.PRUNED if record.state == "pruned" else TrialState.FAIL)

    def _study_seen_by(self, number: int) -> "_SeenStudy":
        n_seen = n_seen_by(number, self._lag)
        seen = {ours for record, ours in self._finished.items() if record < n_seen}
        return _SeenStudy(self._storage, self._pruner, seen)


_NAME = "study"


class _SeenStudy(optuna.Study):
    """The in-memory study, with those of its trials alone that one trial sees."""

    def __init__(
        self, storage: optuna.storages.InMemoryStorage, pruner: optuna.pruners.BasePruner, numbers: Container[int]
    ) -> None:
        super().__init__(_NAME, storage, sampler=optuna.samplers.RandomSampler(), pruner=pruner)
        self._numbers = numbers

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """Return the trials that are seen, as a pruner asks for them."""
        return [trial for trial in super().get_trials(deepcopy, states) if trial.number in self._numbers]


def _optuna_pruner(spec: AnyPruner) -> optuna.pruners.BasePruner:
    if isinstance(spec, MedianPruner):
        return optuna.pruners.MedianPruner(
            n_startup_trials=spec.n_startup_trials, n_warmup_steps=spec.n_warmup_epochs + 1
        )
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=spec.min_epochs, reduction_factor=spec.reduction_factor)
