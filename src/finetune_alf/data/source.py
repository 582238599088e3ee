"""The protocol of all sources, and the source that a spec describes."""

from pathlib import Path
from typing import Protocol

from finetune_alf.data.files_source import FileRows
from finetune_alf.data.glue_source import GlueRows
from finetune_alf.data.hub_source import HubRows
from finetune_alf.data.mini_source import MiniRows
from finetune_alf.data.rows import SourceRows
from finetune_alf.data.source_spec import FilesSource, GlueSource, HubSource, SourceSpec
from finetune_alf.data.spec import OnEmpty
from finetune_alf.metric_names import ProblemType


class Source(Protocol):
    """A source of rows; every call returns the same rows in the same order."""

    def rows(self) -> SourceRows:
        """Return all rows; raises DataError, naming the file or repository."""
        ...


def open_source(
    spec: SourceSpec, root: Path, problem_type: ProblemType = "classification", on_empty: OnEmpty = "error"
) -> Source:
    """Return the source that a spec describes; relative paths are relative to `root`."""
    if isinstance(spec, HubSource):
        return HubRows(spec, problem_type=problem_type, on_empty=on_empty)
    if isinstance(spec, FilesSource):
        return FileRows(spec, root, problem_type, on_empty)
    if isinstance(spec, GlueSource):
        return GlueRows(spec, root, on_empty)
    return MiniRows(spec)
