"""The file of a registered schedule: uploaded as a run's artifact and read back, bounded.

Nothing that comes back is executed, and nothing that comes back chooses a path.
"""

import os
import stat
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from finetune_alf.errors import ScheduleError, TrackingError
from finetune_alf.schedules.document import MAX_BYTES
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.tracking.store import load_mlflow, shown

FILE = "schedule.json"


def upload(client: Any, schedule: Schedule, run_id: str, uri: str) -> str:
    """Return the artifact folder that now holds the schedule, read back and compared."""
    folder = f"schedules/{schedule.digest[:16]}"
    with tempfile.TemporaryDirectory() as temporary:
        local = Path(temporary) / FILE
        local.write_text(schedule.to_json(), "utf-8")
        client.log_artifact(run_id, str(local), folder)
    source = f"{client.get_run(run_id).info.artifact_uri}/{folder}"
    stored = Schedule.from_json(fetch(source, uri), f"{shown(source)}/{FILE}")
    if stored.digest != schedule.digest:
        raise TrackingError(
            f"{shown(source)}: must give back the schedule {schedule.digest[:12]} that was uploaded, but got "
            f"{stored.digest[:12]}. No version was made; register again."
        )
    return source


def fetch(source: str, uri: str) -> bytes:
    """Return the first megabyte of a version's schedule.json; nothing else in its folder is looked at."""
    if urlsplit(source).scheme in ("", "file"):
        return _read_regular(Path(unquote(urlsplit(source).path)) / FILE)
    load_mlflow()
    from mlflow.artifacts import download_artifacts, list_artifacts

    sizes = {item.path.rpartition("/")[2]: item.file_size for item in list_artifacts(source, tracking_uri=uri)}
    if (sizes.get(FILE) or 0) > MAX_BYTES:
        raise ScheduleError(f"{FILE}: must be at most {MAX_BYTES} bytes, but got {sizes[FILE]}.")
    with tempfile.TemporaryDirectory() as temporary:
        download_artifacts(f"{source}/{FILE}", dst_path=temporary, tracking_uri=uri)
        return _read_regular(Path(temporary) / FILE)


def _read_regular(path: Path) -> bytes:
    """Read a file that is neither a link nor a device, up to just over the size limit."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        return file.read(MAX_BYTES + 1)
