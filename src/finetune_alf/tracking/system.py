"""The use of the machine while a run goes on, by MLflow's own monitor, in a thread."""

import importlib.util
from typing import Any

from finetune_alf.errors import TrackingError
from finetune_alf.tracking.store import mlflow_uri


def check_system_metrics() -> None:
    """Raise TrackingError where psutil is not installed."""
    if importlib.util.find_spec("psutil") is None:
        raise TrackingError("tracking.system_metrics: must have psutil. Run `pip install psutil`, or set it to false.")


def start_monitor(uri: str, run_id: str) -> Any:
    """Log the metrics of the system to a run until the monitor's `finish` is called."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=mlflow_uri(uri))
    monitor.start()
    return monitor
