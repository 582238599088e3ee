"""The fits of a stage, counted as it will do them: equal ones once, and those that its ledger has as finished."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.planning.elapsed import FinishedFit, elapsed_of, finished_fit
from finetune_alf.planning.predict import FitGroup, Predictor
from finetune_alf.planning.stage_plan import StagePlan
from finetune_alf.running.context import Context
from finetune_alf.train.result import RecordedFit

KindOfJob = tuple[str, FitJob]
"""A kind of fits, by which they are predicted, and a job of it."""


@dataclass
class StageJobs:
    """The jobs of an entry that share a ledger; a job that is planned in one stage is not planned again in the next."""

    predictor: Predictor
    ledger: Ledger
    _planned: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, ctx: Context, predictor: Predictor, ledger: str) -> "StageJobs":
        """Read the ledger of this name."""
        return cls(predictor, Ledger(ctx.paths.ledger(ledger)))

    def stage(
        self,
        stage: str,
        sample: str,
        jobs: Iterable[KindOfJob],
        others: Iterable[FitGroup] = (),
        finished: Iterable[FinishedFit] = (),
    ) -> Iterator[StagePlan]:
        """Yield the plan of these jobs on a prepared sample; none where others have all of them.

        `others` are fits that cannot be named yet, since they follow from results, with those of them that are
        `finished`.
        """
        counted, own = self.count(jobs)
        groups, done = list(merged([*counted, *others])), [*own, *finished]
        if groups:
            yield self.predictor.stage(stage, sample, groups, elapsed=elapsed_of(done))

    def count(self, jobs: Iterable[KindOfJob]) -> tuple[list[FitGroup], list[FinishedFit]]:
        """Return the jobs that are not planned yet, and the fits of those among them that are finished."""
        groups: list[FitGroup] = []
        finished: list[FinishedFit] = []
        for kind, job in jobs:
            identity = self.ledger.identity(job)
            if identity in self._planned:
                continue
            self._planned.add(identity)
            groups.append(FitGroup(kind, [job.recipe], scored=None if job.score_on == "validation" else job.score_on))
            if result := self.ledger.find(job):
                finished.append(finished_fit(kind, result))
        return groups, finished

    def results(self, jobs: Iterable[FitJob]) -> dict[str, RecordedFit] | None:
        """Return the results of all of these jobs by their keys; None where one is not finished."""
        found = {job.key: self.ledger.find(job) for job in jobs}
        known = {key: result for key, result in found.items() if result is not None}
        return known if len(known) == len(found) else None


def merged(groups: Iterable[FitGroup]) -> Iterator[FitGroup]:
    """Yield one group for each kind, with the fits and the different recipes of all groups of that kind."""
    by_kind: dict[str, FitGroup] = {}
    for group in groups:
        if group.n:
            same = by_kind.get(group.kind)
            recipes = [*same.recipes, *(each for each in group.recipes if each not in same.recipes)] if same else []
            by_kind[group.kind] = replace(same, n=same.n + group.n, recipes=recipes) if same else group
    yield from by_kind.values()
