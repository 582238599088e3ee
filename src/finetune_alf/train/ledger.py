"""Jobs that are done stay done: a file of results, by what was asked, that outlives an interrupted stage."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from finetune_alf import __version__
from finetune_alf.errors import PartialError
from finetune_alf.execute.jobs import Executor
from finetune_alf.files import digest
from finetune_alf.train.job import FitJob, Workbench
from finetune_alf.train.result import FitResult


class Ledger:
    """Results of FitJobs in a file, one a line, appended as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[str, FitResult] = {}
        self._encoders: dict[str, str] = {}
        for line in path.read_text("utf-8").splitlines() if path.exists() else []:
            self._remember(line)

    def find(self, job: FitJob) -> FitResult | None:
        """Return what an equal job gave before under this version of the package."""
        return self._done.get(self.identity(job))

    def add(self, job: FitJob, result: FitResult) -> None:
        """Keep a result; it is on disk when this returns."""
        identity = self.identity(job)
        line = json.dumps({"job": identity, "result": result.model_dump(mode="json")})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" + line)  # the break comes first: a torn last line spoils no other
            file.flush()
            os.fsync(file.fileno())
        self._done[identity] = result

    def identity(self, job: FitJob) -> str:
        """Return the digest of all that a job's result depends on: what is asked, and this version of the package."""
        spec = job.encoder.model_dump_json()
        if spec not in self._encoders:  # a folder's identity is a hash over its files
            self._encoders[spec] = job.encoder.identity()
        asked = {
            "recipe": job.recipe.model_dump(mode="json"),
            "encoder": self._encoders[spec],
            "sample": job.sample,
            "seed": job.seed,
            "score_on": job.score_on,
            "metric": job.metric,
            "version": __version__,
        }
        return digest(asked)

    def _remember(self, line: str) -> None:
        try:
            entry = json.loads(line)
            self._done[entry["job"]] = FitResult.model_validate_json(json.dumps(entry["result"]))
        except (ValueError, KeyError, TypeError, ValidationError):
            return  # empty, or torn by a kill: that job is simply done again


def do_jobs(
    jobs: Sequence[FitJob],
    executor: Executor,
    workbench: Workbench,
    ledger: Ledger,
    on_done: Callable[[FitJob, FitResult], None],
) -> dict[str, FitResult]:
    """Do every job that the ledger does not hold yet. Returns all results by the jobs' keys.

    `on_done` is called for each, known ones first. Raises PartialError, naming the reasons, when a job failed;
    the others are done and kept.
    """
    results: dict[str, FitResult] = {}
    failures: list[str] = []

    def finish(job: FitJob, result: FitResult) -> None:
        results[job.key] = result
        on_done(job, result)

    missing = []
    for job in jobs:
        known = ledger.find(job)
        if known:
            finish(job, known)
        else:
            missing.append(job)
    for outcome in executor.run(iter(missing), workbench):
        if outcome.result is None:
            failures.append(f"{outcome.job.key}: {outcome.failure}")
            continue
        ledger.add(outcome.job, outcome.result)
        finish(outcome.job, outcome.result)
    if failures:
        raise PartialError(
            f"{len(failures)} of {len(jobs)} fits failed, the others are kept: {'; '.join(failures)}. "
            "Run the same command again to do what is missing."
        )
    return results
