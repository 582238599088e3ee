"""The plan of a stage's fits, beside the time of those that are finished."""

from finetune_alf.planning.elapsed import ElapsedTime
from finetune_alf.spec import Spec


class StagePlan(Spec):
    """Some fits: how many, a fit's useful floating-point operations and seconds, all seconds, bytes at its fullest.

    Without its sample only the fits are counted, and `missing` is the command to run first. `elapsed` is the time of
    finished fits, `elapsed_predicted_s` the prediction for just those. `note` says what is not counted as finished.
    """

    stage: str
    sample: str
    n_fits: int
    fit_flops: float | None = None
    fit_s: float | None = None
    seconds: float | None = None
    memory_bytes: int | None = None
    missing: str | None = None
    elapsed: ElapsedTime | None = None
    elapsed_predicted_s: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The seconds that finished fits took over those predicted for them, the time between fits included."""
        if self.elapsed is None or not self.elapsed_predicted_s:
            return None
        return self.elapsed.seconds / self.elapsed_predicted_s

    @property
    def left_s(self) -> float | None:
        """The seconds predicted for the fits that are not finished."""
        if self.seconds is None:
            return None
        return max(0.0, self.seconds - (self.elapsed_predicted_s or 0.0)) if self.n_left else 0.0

    @property
    def n_left(self) -> int:
        """The number of fits that are not finished."""
        return max(0, self.n_fits - (self.elapsed.n_fits if self.elapsed else 0))
