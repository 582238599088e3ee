"""Upload a schedule as an artifact of an MLflow run, and download it again with a size limit.

Downloaded content is parsed as data: it is never executed, and never used as a path.
"""

import os
import stat
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from finetune_alf.crashpoint import crashpoint
from finetune_alf.errors import ScheduleError, TrackingError
from finetune_alf.schedules.document import MAX_BYTES
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.tracking.store import load_mlflow, redacted_uri

SCHEDULE_FILE = "schedule.json"


def upload_schedule(client: Any, schedule: Schedule, run_id: str, uri: str) -> str:
    """Upload a schedule, download it again to verify its digest, and return the artifact folder's URI."""
    folder = f"schedules/{schedule.digest[:16]}"
    with tempfile.TemporaryDirectory() as temporary:
        local = Path(temporary) / SCHEDULE_FILE
        local.write_text(schedule.to_json(), "utf-8")
        crashpoint("upload-before")
        client.log_artifact(run_id, str(local), folder)
        crashpoint("upload-after")
    source = f"{client.get_run(run_id).info.artifact_uri}/{folder}"
    stored = Schedule.from_json(download_schedule(source, uri), f"{redacted_uri(source)}/{SCHEDULE_FILE}")
    if stored.digest != schedule.digest:
        raise TrackingError(
            f"cannot upload schedule {schedule.digest[:12]} to {redacted_uri(source)}: the file downloaded again has "
            f"the digest {stored.digest[:12]}. No version was created; register again."
        )
    return source


def download_schedule(source: str, uri: str) -> bytes:
    """Return at most the first megabyte of schedule.json in the artifact folder `source`."""
    if urlsplit(source).scheme in ("", "file"):
        return _read_regular_file(Path(unquote(urlsplit(source).path)) / SCHEDULE_FILE)
    load_mlflow()
    from mlflow.artifacts import download_artifacts, list_artifacts

    sizes = {item.path.rpartition("/")[2]: item.file_size for item in list_artifacts(source, tracking_uri=uri)}
    if (sizes.get(SCHEDULE_FILE) or 0) > MAX_BYTES:
        raise ScheduleError(f"{SCHEDULE_FILE}: must be at most {MAX_BYTES} bytes, but got {sizes[SCHEDULE_FILE]}.")
    with tempfile.TemporaryDirectory() as temporary:
        download_artifacts(f"{source}/{SCHEDULE_FILE}", dst_path=temporary, tracking_uri=uri)
        return _read_regular_file(Path(temporary) / SCHEDULE_FILE)


def _read_regular_file(path: Path) -> bytes:
    """Read a file up to one byte over the size limit. Raises OSError for a symbolic link or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a regular file")
        return file.read(MAX_BYTES + 1)
