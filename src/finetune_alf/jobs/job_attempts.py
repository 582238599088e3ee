"""The attempts at jobs that have no result yet, in a file beside the ledger, so that they outlive the process."""

from finetune_alf.errors import InputError
from finetune_alf.files import read_json, write_json
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger


class JobAttempts:
    """An AttemptLog of FitJobs. Its file, `<ledger>.attempts.json`, is there only while it has jobs."""

    def __init__(self, ledger: Ledger) -> None:
        self._path, self._identity = ledger.path.with_suffix(".attempts.json"), ledger.identity
        self._counts: dict[str, int] = {}
        if self._path.exists():
            try:
                self._counts = {str(job): int(n) for job, n in read_json(self._path).items()}
            except (InputError, AttributeError, TypeError, ValueError):
                self._counts = {}  # damaged: the jobs have all attempts again

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

    def _set(self, job: FitJob, n: int) -> None:
        self._counts[self._identity(job)] = n
        left = {identity: n for identity, n in self._counts.items() if n}
        if left:
            write_json(self._path, left)
        else:
            self._path.unlink(missing_ok=True)
