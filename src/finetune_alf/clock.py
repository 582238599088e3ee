"""The time, as records and MLflow have it."""

import time
from dataclasses import dataclass, field


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Stopwatch:
    """Starts when it is made; its seconds stay right when the system's clock is set."""

    started_ms: int = field(default_factory=now_ms)
    _started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._started

    @property
    def ended_ms(self) -> int:
        """Return when it ends, if that is now: so many seconds after the start, whatever the system's clock says."""
        return self.started_ms + round(self.seconds * 1000)
