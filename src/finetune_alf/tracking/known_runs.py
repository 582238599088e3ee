"""The runs of a project in an MLflow store by key, as far as one process knows them without asking again.

Only one process at a time writes the nested runs of a parent. So it asks for all of them once, by pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from finetune_alf.tracking.entities import source_tags
from finetune_alf.tracking.record import UNFINISHED, RunStatus
from finetune_alf.tracking.registered import all_pages

KEY_TAG = "alf.key"
PROJECT_TAG = "alf.project"
PARENT_TAG = "mlflow.parentRunId"

N_PER_PAGE = 1_000
"""Runs in a page: the store answers the same in fewer calls, and a page takes some megabytes."""

_OLDEST_FIRST = ["attributes.start_time ASC", "attributes.run_id ASC"]


@dataclass(frozen=True)
class KnownRun:
    """What is known of a run."""

    run_id: str
    status: str
    started_ms: int | None


class KnownRuns:
    """The runs of one experiment with the keys of one project."""

    def __init__(self, client: Any, experiment_id: str, project: str | None) -> None:
        self._client, self._experiment_id, self._project = client, experiment_id, project
        self._runs: dict[str, KnownRun] = {}
        self._loaded: set[str] = set()

    def load(self, parent_id: str) -> None:
        """Ask for all runs of a parent. Those that a killed process has left RUNNING are KILLED."""
        children = self._oldest_by_key(self._search(f"tags.`{PARENT_TAG}` = '{parent_id}'"))
        self._runs |= children
        self._loaded.add(parent_id)
        for tag, run in children.items():
            if run.status == "RUNNING":
                self._end(tag, run, "KILLED", None)

    def ended(self, parent_id: str) -> set[str]:
        """Ask for the runs of a parent, and return the keys of those that have ended."""
        found = self._oldest_by_key(self._search(f"tags.`{PARENT_TAG}` = '{parent_id}'"))
        start = len(self._tag(""))
        return {tag[start:] for tag, run in found.items() if run.status not in UNFINISHED}

    def find(self, key: str, parent_id: str | None = None) -> KnownRun | None:
        """Return the oldest run with this key; for a parent whose runs are loaded no request is made."""
        tag = self._tag(key)
        if tag not in self._runs and parent_id not in self._loaded:
            self._runs |= self._oldest_by_key(self._search(f"tags.`{KEY_TAG}` = '{tag}'"))
        return self._runs.get(tag)

    def create(self, key: str, name: str, started_ms: int, tags: Mapping[str, str]) -> KnownRun:
        """Create a run with this key, unless there is one: the response to an earlier call may have been lost."""
        identity = {KEY_TAG: self._tag(key), **({PROJECT_TAG: self._project} if self._project else {})}
        created = self._client.create_run(
            self._experiment_id, start_time=started_ms, tags={**source_tags(), **tags, **identity}, run_name=name
        )
        return self.find(key) or _known(created)

    def end(self, key: str, status: RunStatus, ended_ms: int | None = None) -> None:
        """End the run with this key."""
        tag = self._tag(key)
        self._end(tag, self._runs[tag], status, ended_ms)

    def drop_attempt(self, key: str, parent_id: str, started_ms: int | None) -> None:
        """Delete a run that did not end, unless it began at this time: a fit is done again from its beginning."""
        run = self.find(key, parent_id)
        if run and run.status in UNFINISHED and run.started_ms != started_ms:
            self.forget(key)
            self._client.delete_run(run.run_id)

    def forget(self, key: str) -> None:
        """Ask for the run with this key again when it is needed."""
        self._runs.pop(self._tag(key), None)

    def _end(self, tag: str, run: KnownRun, status: RunStatus, ended_ms: int | None) -> None:
        self._client.set_terminated(run.run_id, status, ended_ms)
        self._runs[tag] = replace(run, status=status)

    def _oldest_by_key(self, runs: Any) -> dict[str, KnownRun]:
        """Return runs by their tags, and delete the younger ones of equal keys."""
        oldest: dict[str, KnownRun] = {}
        for run in runs:
            tag = run.data.tags.get(KEY_TAG)
            if tag in oldest:
                self._client.delete_run(run.info.run_id)
            elif tag is not None:
                oldest[tag] = _known(run)
        return oldest

    def _search(self, filtered: str) -> Any:
        def search(**page: Any) -> Any:
            return self._client.search_runs(
                [self._experiment_id], filter_string=filtered, order_by=_OLDEST_FIRST, **page
            )

        return all_pages(search, N_PER_PAGE)

    def _tag(self, key: str) -> str:
        """Return the key as it is in the store: it starts with the project."""
        return f"{self._project}/{key}" if self._project else key


def _known(run: Any) -> KnownRun:
    return KnownRun(str(run.info.run_id), str(run.info.status), run.info.start_time)
