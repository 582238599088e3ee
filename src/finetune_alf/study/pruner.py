"""Prune trials by the validation score of their epochs, Optuna's intermediate values.

The state is a pure function of the finished trials: their epochs are reported again when a study is resumed, so that it
prunes the same trials as a study that was not interrupted.
"""

from collections.abc import Iterable

import optuna
from optuna.trial import Trial, TrialState

from finetune_alf.study.records import TrialRecord
from finetune_alf.study.sampler import in_memory_study
from finetune_alf.study.spec import AnyPruner, MedianPruner
from finetune_alf.train.result import EpochMetrics


class StudyPruner:
    """An Optuna pruner with the intermediate values of a study's trials, of `n_epochs` each."""

    def __init__(self, spec: AnyPruner, n_epochs: int, finished: Iterable[TrialRecord]) -> None:
        self._n_epochs = n_epochs
        self._study = in_memory_study(pruner=_optuna_pruner(spec))
        self._running: dict[int, Trial] = {}
        self._answers: dict[int, dict[int, bool]] = {}  # trial -> epoch -> whether to prune
        for record in finished:
            for epoch in record.result.epochs if record.result else ():
                self.should_prune(record.number, epoch)
            self.tell(record)

    def should_prune(self, number: int, epoch: EpochMetrics) -> bool:
        """Report an epoch of trial `number`, and return whether the trial should be pruned now.

        A trial that starts over, because its worker died, gets the answers that it had. The answer after the last epoch
        is no: pruning would save nothing then, and cost the trial its score.
        """
        answers = self._answers.setdefault(number, {})
        if epoch.epoch not in answers:
            answers[epoch.epoch] = self._answer(number, epoch)
        return answers[epoch.epoch]

    def _answer(self, number: int, epoch: EpochMetrics) -> bool:
        if number not in self._running:
            self._running[number] = self._study.ask()
        if epoch.validation_score is None:
            return False
        trial, n_completed = self._running[number], epoch.epoch + 1
        trial.report(epoch.validation_score, step=n_completed)
        return n_completed < self._n_epochs and trial.should_prune()

    def tell(self, record: TrialRecord) -> None:
        """Finish a trial with its state and score."""
        trial = self._running.pop(record.number, None)
        self._answers.pop(record.number, None)
        if trial is None:
            return
        if record.state == "complete":
            self._study.tell(trial, record.score)
        else:
            self._study.tell(trial, state=TrialState.PRUNED if record.state == "pruned" else TrialState.FAIL)


def _optuna_pruner(spec: AnyPruner) -> optuna.pruners.BasePruner:
    if isinstance(spec, MedianPruner):
        return optuna.pruners.MedianPruner(
            n_startup_trials=spec.n_startup_trials, n_warmup_steps=spec.n_warmup_epochs + 1
        )
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=spec.min_epochs, reduction_factor=spec.reduction_factor)
