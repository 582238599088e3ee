"""The fits of a stage: each is taken from the ledger or done, then written to the results and logged to MLflow.

This is the one way to run fits, and the one way to write cells.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from finetune_alf.documents import Document
from finetune_alf.files import write_text
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.jobs.run_jobs import run_jobs
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.json_files import append_jsonl, write_jsonl
from finetune_alf.rates import setting_text
from finetune_alf.running.cell_runs import RUN, CellRun
from finetune_alf.running.context import Context, ProgressBar
from finetune_alf.running.nested_runs import epoch_of_fit, fit_run
from finetune_alf.running.parent_run import Runs, parent_run
from finetune_alf.score_text import score_text
from finetune_alf.tracking.record import RunRecord
from finetune_alf.train.result import EpochMetrics, RecordedFit

C = TypeVar("C")


@dataclass(frozen=True)
class LoggedFields:
    """The fields of a fit's run in MLflow besides those that every run has.

    `scores` are its final ones, by the names of the run's metrics, None where it diverged; `note` stands beside the
    bar, the fit's score unless it is given.
    """

    scores: Mapping[str, float | None]
    tags: Mapping[str, str]
    note: str = ""


@dataclass(frozen=True)
class CellKind(Generic[C]):
    """How the cells of a stage become jobs with keys of their own, lines of results, and fields of MLflow's runs."""

    job: Callable[[C], FitJob]
    line: Callable[[C, RecordedFit], Document]
    logged: Callable[[C, RecordedFit], LoggedFields]


@dataclass(frozen=True)
class Fitter:
    """Does a stage's fits, of an encoder with `n_layers`; the keys of their runs start with `stage`.

    The best score stands beside the bar of a search alone: of other fits it is that of the luckiest.
    """

    ctx: Context
    stage: str
    ledger: Ledger
    fit_runner: FitRunner
    n_layers: int
    runs: Runs
    bar: ProgressBar
    is_search: bool = False

    def fit(self, cells: Sequence[C], kind: CellKind[C], path: Path | None = None) -> list[tuple[C, RecordedFit]]:
        """Fit the cells that are not done yet, and return all of them with their results.

        With a `path`, each is a line of that JSONL file as soon as it is done, and at the end the lines have the order
        of the cells. Raises PartialError, naming the reasons, when a fit failed; the others are done and kept.
        """
        by_key = {kind.job(cell).key: cell for cell in cells}
        if path is not None:
            write_text(path, "")

        def logged(job: FitJob, result: RecordedFit) -> LoggedFields:
            if path is not None:
                append_jsonl(path, self.line(by_key[job.key], result, kind))
            return kind.logged(by_key[job.key], result)

        results = self.fit_jobs([kind.job(cell) for cell in cells], logged)
        fits = [(cell, results[key]) for key, cell in by_key.items()]
        if path is not None:
            write_jsonl(path, [self.line(cell, result, kind) for cell, result in fits])
        return fits

    def line(self, cell: C, result: RecordedFit, kind: CellKind[C]) -> dict[str, Any]:
        """Return a cell's line, with its run."""
        job, fields = kind.job(cell), kind.logged(cell, result)
        run = CellRun(
            parent=self.runs.key,
            key=self._key(job),
            name=job.key,
            n_layers=self.n_layers,
            recipe=job.recipe.model_dump(mode="json"),
            started_ms=result.started_ms,
            movement={str(address): moved for address, moved in result.movement.items()} if result.movement else None,
            scores=dict(fields.scores),
            tags=self._tags(fields),
        )
        return {**kind.line(cell, result).as_json(), RUN: run.as_json()}

    def fit_jobs(
        self, jobs: Sequence[FitJob], logged: Callable[[FitJob, RecordedFit], LoggedFields]
    ) -> dict[str, RecordedFit]:
        """Do the jobs that are not done yet, and return all results by the jobs' keys; raises as `fit` does."""
        best: float | None = None
        earlier = {job.key for job in jobs if self.ledger.find(job)}

        def on_result(job: FitJob, result: RecordedFit) -> None:
            nonlocal best
            fields = logged(job, result)
            self.runs.put(self._run(job, result, fields))
            best = max((each for each in (best, result.score) if each is not None), default=None)
            note = f"{fit_in_words(job.key)} {fields.note or score_note(result.score)}"
            has_best = best is not None and self.is_search
            self.bar.advance(
                f"best {score_note(best)}, {note}" if has_best else note, step=job.key, is_new=job.key not in earlier
            )

        environment = self.ctx.environment
        return run_jobs(
            jobs, self.ctx.executor(), self.fit_runner, self.ledger, environment, on_result, self._report_epoch
        )

    def _report_epoch(self, job: FitJob, epoch: EpochMetrics) -> None:
        sample, environment = self.fit_runner.loader.sample(job.sample).name, self.ctx.environment
        tags = {
            "alf.stage": self._stage_tag,
            "alf.sample": sample,
            "alf.sample.digest": job.sample,
            "alf.seed": str(job.seed),
        }
        self.runs.put_epoch(epoch_of_fit(self._key(job), job.key, job.recipe, self.n_layers, environment, epoch, tags))
        self.bar.epoch(job.key, epoch.epoch + 1, job.fine_tuning.epochs, epoch.seconds)

    @property
    def _stage_tag(self) -> str:
        return self.stage.partition("-")[0]

    def _key(self, job: FitJob) -> str:
        """Return the key of a fit's run."""
        return f"{self.stage}/{self.ledger.identity(job)[:16]}/{job.key}"

    def _tags(self, fields: LoggedFields) -> dict[str, str]:
        return {"alf.stage": self._stage_tag, **fields.tags}

    def _run(self, job: FitJob, result: RecordedFit, fields: LoggedFields) -> RunRecord:
        ran_in, scores = result.environment, fields.scores
        tags = self._tags(fields)
        return fit_run(self._key(job), job.key, job.recipe, self.n_layers, result, ran_in, scores=scores, tags=tags)


@contextmanager
def fitting(
    ctx: Context,
    stage: str,
    *names: str,
    fit_runner: FitRunner,
    n_layers: int,
    n_fits: int,
    tags: Mapping[str, str],
    ledger: str | None = None,
    needs_store: bool = False,
) -> Iterator[Fitter]:
    """Open the parent run of a stage for an entry of params.yaml, and yield a Fitter.

    `tags` are those of the parent run, which is there from the start where it `needs_store`. The finished fits are kept
    in a ledger of the same name, unless stages share one.
    """
    own = "-".join((stage, *names))
    with (
        parent_run(ctx, "/".join((stage, *names)), " ".join((stage, *names)), tags, needs_store=needs_store) as runs,
        ctx.console.progress(" ".join((stage, *names)), n_fits) as bar,
    ):
        yield Fitter(ctx, own, Ledger(ctx.paths.ledger(ledger or own)), fit_runner, n_layers, runs, bar)


def score_note(score: float | None) -> str:
    """Return a score for the progress bar; None is a fit that diverged."""
    return "diverged" if score is None else score_text(score)


def fit_in_words(key: str) -> str:
    """Return the key of a fit as a bar shows it: seeds count from 1, and rates are written as everywhere.

    `single-rate-5e-05/seed-0` is `single-rate-5e-5 seed 1`.
    """
    named = re.sub(r"/seed-(\d+)$", lambda found: f" seed {int(found[1]) + 1}", key)
    return re.sub(r"(?<![\w.])(\d+(\.\d+)?e-\d+|0\.00\d*)(?![\w.])", lambda found: setting_text(float(found[0])), named)
