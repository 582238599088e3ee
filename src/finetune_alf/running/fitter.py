"""The fits of a stage: each out of the ledger or done, then told to MLflow, to the results and to the bar."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_alf.files import append_jsonl, write_text
from finetune_alf.running.context import Bar, Context
from finetune_alf.running.mirrored import Runs
from finetune_alf.running.runs import fit_run
from finetune_alf.tracking.record import RunRecord
from finetune_alf.train.job import FitJob, Workbench
from finetune_alf.train.ledger import Ledger, do_jobs
from finetune_alf.train.result import FitResult


@dataclass(frozen=True)
class Shown:
    """What is told of a fit besides what is told of every one.

    `scores` are its final ones, by the names that its run has for them, None where it diverged; `note` is what the bar
    tells, the fit's score unless it is given.
    """

    scores: Mapping[str, float | None]
    tags: Mapping[str, str]
    note: str = ""


Show = Callable[[FitJob, FitResult], Shown]
Line = Callable[[FitJob, FitResult], Mapping[str, Any]]


@dataclass(frozen=True)
class Fitter:
    """Does a stage's fits, of an encoder with `n_layers`; the keys of their runs start with `stage`."""

    ctx: Context
    stage: str
    ledger: Ledger
    workbench: Workbench
    n_layers: int
    runs: Runs
    bar: Bar

    def do(self, jobs: Sequence[FitJob], show: Show) -> dict[str, FitResult]:
        """Do the jobs that are not done yet, and return all results by the jobs' keys.

        Raises PartialError, naming the reasons, when a job failed; the others are done and kept.
        """

        def tell(job: FitJob, result: FitResult) -> None:
            shown = show(job, result)
            self.runs.put(self._run(job, result, shown))
            self.bar.advance(f"{job.key} {shown.note or score_note(result.score)}")

        return do_jobs(jobs, self.ctx.executor(), self.workbench, self.ledger, tell)

    def fill(self, path: Path, jobs: Sequence[FitJob], show: Show, line: Line) -> dict[str, FitResult]:
        """Do the jobs, and write each as a line of a JSONL file as soon as it is done, whichever comes first."""
        write_text(path, "")

        def kept(job: FitJob, result: FitResult) -> Shown:
            append_jsonl(path, line(job, result))
            return show(job, result)

        return self.do(jobs, kept)

    def _run(self, job: FitJob, result: FitResult, shown: Shown) -> RunRecord:
        key = f"{self.stage}/{self.ledger.identity(job)[:16]}/{job.key}"
        return fit_run(key, job.key, job.recipe, self.n_layers, result, scores=shown.scores, tags=shown.tags)


def score_note(score: float | None) -> str:
    """Return a score as the bar tells it; None is a fit that diverged."""
    return "diverged" if score is None else f"{score:.3f}"
