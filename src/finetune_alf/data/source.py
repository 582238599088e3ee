"""Where rows come from: what hub, files, GLUE, mini and memory share, and the way from a spec to its source."""

from pathlib import Path
from typing import Protocol

from finetune_alf.data.files_source import FileRows
from finetune_alf.data.glue_source import GlueRows
from finetune_alf.data.hub_source import HubRows
from finetune_alf.data.mini_source import MiniRows
from finetune_alf.data.rows import SourceRows
from finetune_alf.data.spec import FilesSource, GlueSource, HubSource, SourceSpec
from finetune_alf.metrics import LabelKind


class Source(Protocol):
    """Something that gives the same rows, in the same order, every time it is asked."""

    def rows(self) -> SourceRows:
        """Return all rows; raises DataError naming the file or repository at fault."""
        ...


def open_source(spec: SourceSpec, root: Path, labels: LabelKind = "classes") -> Source:
    """Return the source that a spec describes; relative paths are relative to `root`."""
    if isinstance(spec, HubSource):
        return HubRows(spec, labels=labels)
    if isinstance(spec, FilesSource):
        return FileRows(spec, root, labels)
    if isinstance(spec, GlueSource):
        return GlueRows(spec, root)
    return MiniRows(spec)
