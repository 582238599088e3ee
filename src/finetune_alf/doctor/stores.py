"""The MLflow store."""

from collections.abc import Iterator
from pathlib import Path

from finetune_alf.doctor.finding import Finding
from finetune_alf.errors import AlfError
from finetune_alf.tracking.store import open_store, redacted_uri, sqlite_path


def mlflow_store(uri: str) -> Iterator[Finding]:
    """Yield whether MLflow's store can be read; a SQLite store that does not exist is made by the first run."""
    name = redacted_uri(uri)
    path = sqlite_path(uri)
    if path is not None and not path.exists():
        yield Finding("stores", name, "not made yet")
        return
    try:
        n_experiments = len(open_store(uri, create=False, follow=False).search_experiments())
    except AlfError as error:
        yield Finding("stores", name, "cannot be read", str(error))
        return
    size = f", {_size(path)}" if path else ""
    yield Finding("stores", name, f"answers, {n_experiments} experiments{size}")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.1f} MiB"
