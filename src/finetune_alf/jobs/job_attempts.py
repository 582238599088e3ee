"""The attempts at jobs that have no result yet, in a file beside the ledger, so that they outlive the process."""

import logging
from collections.abc import Mapping

from finetune_alf.errors import InputError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.json_files import read_json, write_json

logger = logging.getLogger(__name__)


class JobAttempts:
    """An AttemptLog of FitJobs. Its file, `<ledger>.attempts.json`, is there only while it has jobs.

    A job whose result is in the ledger has none: its process was killed after it had written that.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._path, self._identity = ledger.path.with_suffix(".attempts.json"), ledger.identity
        self._keep({identity: n for identity, n in self._read().items() if not ledger.holds(identity)})

    def n_attempts(self, job: FitJob) -> int:
        """Return how many attempts at a job have begun."""
        return self._counts.get(self._identity(job), 0)

    def begin(self, job: FitJob) -> None:
        """Commit that an attempt begins."""
        self._set(job, self.n_attempts(job) + 1)

    def withdraw(self, job: FitJob) -> None:
        """Take back the last attempt."""
        self._set(job, max(self.n_attempts(job) - 1, 0))

    def clear(self, job: FitJob) -> None:
        """Forget a job that has a result, or that is reported as given up."""
        self._set(job, 0)

    def _read(self) -> dict[str, int]:
        if not self._path.exists():
            return {}
        try:
            return {identity: int(n) for identity, n in read_json(self._path).items()}
        except (InputError, TypeError, ValueError) as error:
            logger.warning("%s is skipped, and attempts count from 0 again: %s", self._path, error)
            return {}

    def _set(self, job: FitJob, n: int) -> None:
        self._keep({**self._counts, self._identity(job): n})

    def _keep(self, counts: Mapping[str, int]) -> None:
        self._counts = {identity: n for identity, n in counts.items() if n}
        if self._counts:
            write_json(self._path, self._counts)
        else:
            self._path.unlink(missing_ok=True)
