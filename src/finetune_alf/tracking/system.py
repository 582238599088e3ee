"""The use of the machine while a run goes on, by MLflow's own monitor, in a thread."""

import contextlib
from collections.abc import Iterator

from finetune_alf.tracking.store import tracking_errors


@contextlib.contextmanager
def system_metrics(uri: str, run_id: str, wanted: bool) -> Iterator[None]:
    """Log the metrics of the system to a run in this block, where they are wanted.

    Raises TrackingError where psutil is not installed.
    """
    if not wanted:
        yield
        return
    with tracking_errors(uri):
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=uri)
        monitor.start()
    try:
        yield
    finally:
        monitor.finish()
