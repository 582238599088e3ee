"""Which trials are not worth finishing, judged from their epochs' validation score.

The judge's state is a pure function of the finished trials: it replays their epochs, so that a resumed study judges as
one that never stopped.
"""

from collections.abc import Iterable

import optuna
from optuna.trial import Trial, TrialState

from finetune_alf.study.records import TrialRecord
from finetune_alf.study.sampler import memory_study
from finetune_alf.study.spec import AnyPruner, MedianPruner
from finetune_alf.train.result import EpochMetrics


class Judge:
    """Says after each epoch of a trial whether it goes on."""

    def __init__(self, spec: AnyPruner, finished: Iterable[TrialRecord]) -> None:
        self._memory = memory_study(pruner=_pruner(spec))
        self._running: dict[int, Trial] = {}
        self._last_epoch: dict[int, int] = {}
        for record in finished:
            for epoch in record.result.epochs if record.result else ():
                self.go_on(record.number, epoch)
            self.finish(record)

    def go_on(self, number: int, epoch: EpochMetrics) -> bool:
        """Take a trial's epoch, and say whether the next is worth its time."""
        if epoch.epoch <= self._last_epoch.get(number, -1):  # its worker died: it starts over
            self._memory.tell(self._running.pop(number), state=TrialState.FAIL)
        if number not in self._running:
            self._running[number] = self._memory.ask()
        self._last_epoch[number] = epoch.epoch
        if epoch.validation_score is None:
            return True
        trial = self._running[number]
        trial.report(epoch.validation_score, step=epoch.epoch + 1)  # epochs done
        return not trial.should_prune()

    def finish(self, record: TrialRecord) -> None:
        """Take a trial's end."""
        trial = self._running.pop(record.number, None)
        self._last_epoch.pop(record.number, None)
        if trial is None:
            return
        if record.state == "complete":
            self._memory.tell(trial, record.score)
        else:
            self._memory.tell(trial, state=TrialState.PRUNED if record.state == "pruned" else TrialState.FAIL)


def _pruner(spec: AnyPruner) -> optuna.pruners.BasePruner:
    if isinstance(spec, MedianPruner):
        return optuna.pruners.MedianPruner(n_startup_trials=spec.n_startup, n_warmup_steps=spec.n_warmup_epochs + 1)
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=spec.min_epochs, reduction_factor=spec.factor)
