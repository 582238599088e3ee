"""An executor whose fake fits run side by side in this process, and end in an order drawn from a seed."""

import random
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from fake_studies import N_LAYERS, epochs_up_to, fit_result, score_of

from finetune_alf.execute import Callbacks, Jobs, Outcome, SerialExecutor
from finetune_alf.execute.jobs import NO_CALLBACKS, next_job
from finetune_alf.jobs.job import FitJob
from finetune_alf.train.result import FitResult

FitOutcome = Outcome[FitJob, FitResult]


@dataclass
class ShuffledExecutor:
    """Runs up to `n_workers` fake fits, a random one of which goes on by an epoch.

    The first attempts at trials in `deaths` end with their worker. The executor is stopped after `n_epochs` epochs.
    """

    n_workers: int
    seed: int
    deaths: Collection[int] = ()
    n_epochs: int = 10**9
    n_fused: int = 1
    most_at_once: int = 0
    died: set[int] = field(default_factory=set)

    def alone(self) -> Any:
        return self if self.n_workers == 1 else ShuffledExecutor(1, self.seed)

    def run(self, jobs: Jobs[FitJob], work: Any, callbacks: Callbacks = NO_CALLBACKS) -> Generator[FitOutcome]:
        rng, running = random.Random(self.seed), list[Iterator[FitOutcome | None]]()
        while True:
            while len(running) < self.n_workers and (taken := next_job(jobs)):
                callbacks.on_begin(taken[0])
                running.append(self._fit(taken[0], callbacks))
            if not running:
                return
            self.most_at_once = max(self.most_at_once, len(running))
            self.n_epochs -= 1
            if self.n_epochs < 0:
                raise KeyboardInterrupt
            going_on = rng.choice(running)
            if (outcome := next(going_on)) is not None:
                running.remove(going_on)
                yield outcome

    def _fit(self, job: FitJob, callbacks: Callbacks) -> Iterator[FitOutcome | None]:
        number = int(job.key.rpartition("/")[2])
        score = score_of(job.recipe.rates.at(N_LAYERS))
        epochs = epochs_up_to(score)
        for n_done, epoch in enumerate(epochs, start=1):
            yield None
            if n_done == 2 and number in self.deaths and number not in self.died:
                self.died.add(number)
                yield Outcome(job, None, "its worker died", worker_died=True)
            if not callbacks.on_report(job, epoch):
                yield Outcome(job, fit_result(None, epochs[:n_done], "pruned"), None)
        yield Outcome(job, fit_result(score, epochs), None)


__all__ = ["SerialExecutor", "ShuffledExecutor"]
