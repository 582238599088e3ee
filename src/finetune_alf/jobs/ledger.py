"""The ledger: a file of the results of finished jobs, so that an interrupted stage can resume."""

import json
import logging
import os
from pathlib import Path

from pydantic import ValidationError

from finetune_alf.checksums import digest, parse_checked
from finetune_alf.crashpoint import crashpoint
from finetune_alf.errors import InputError
from finetune_alf.identity import identity_of
from finetune_alf.jobs.job import FitJob
from finetune_alf.json_files import json_line, lines_of
from finetune_alf.os_errors import check_regular
from finetune_alf.train.result import RecordedFit

logger = logging.getLogger(__name__)


class Ledger:
    """Results of FitJobs in a file, one a line, appended as the jobs finish.

    A line that is damaged is left out with a warning, so that its job is done again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._results: dict[str, RecordedFit] = {}
        self._encoder_identities: dict[str, str] = {}
        check_regular(path)
        for number, line in enumerate(lines_of(path.read_bytes()) if path.exists() else [], start=1):
            if line:
                self._read_line(number, line)

    @property
    def results(self) -> tuple[RecordedFit, ...]:
        """The results that can be read, in the order in which their jobs finished."""
        return tuple(self._results.values())

    def find(self, job: FitJob) -> RecordedFit | None:
        """Return the result of an equal job, if one has finished."""
        return self._results.get(self.identity(job))

    def holds(self, identity: str) -> bool:
        """Whether a job with this identity has a result."""
        return identity in self._results

    def add(self, job: FitJob, result: RecordedFit) -> None:
        """Append a result; it is on disk when this returns."""
        identity = self.identity(job)
        line = json_line({"job": identity, "result": result.model_dump(mode="json")})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        crashpoint("ledger-line-before")
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" + line)  # newline first: an incomplete last line does not corrupt this one
            file.flush()
            os.fsync(file.fileno())
        crashpoint("ledger-line-after")
        self._results[identity] = result

    def forget(self, job: FitJob) -> None:
        """Leave out the result of a job, so that it is done again; its next result takes the place of this one."""
        self._results.pop(self.identity(job), None)

    def identity(self, job: FitJob) -> str:
        """Return the digest of all that a job's result depends on."""
        spec = job.encoder.model_dump_json()
        if spec not in self._encoder_identities:  # computing it may hash all files of a folder
            self._encoder_identities[spec] = job.encoder.identity()
        settings = {
            "recipe": job.recipe,
            "encoder": self._encoder_identities[spec],
            "sample": job.sample,
            "seed": job.seed,
            "precision": job.precision,
            "score_on": job.score_on,
            "metric": job.metric,
        }
        return digest(identity_of(settings))

    def _read_line(self, number: int, line: bytes) -> None:
        try:
            entry = parse_checked(line)
            self._results[entry["job"]] = RecordedFit.model_validate_json(json.dumps(entry["result"]))
        except (ValueError, KeyError, TypeError, ValidationError, InputError) as error:
            reason = str(error).split("\n")[0]
            logger.warning("%s:%d is skipped, and its fit is done again: %s.", self.path, number, reason)
