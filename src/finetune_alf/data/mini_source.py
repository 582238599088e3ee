"""The source of rows from the mini corpus: reviews of four domains, written for this package, half of them positive."""

import importlib.resources
from dataclasses import dataclass

from finetune_alf.data.rows import SourceRows, ordered_names
from finetune_alf.data.source_spec import MiniSource
from finetune_alf.data.table_rows import read_split
from finetune_alf.files import file_digest


@dataclass(frozen=True)
class MiniRows:
    """The reviews of one domain, as a train split."""

    spec: MiniSource

    def rows(self) -> SourceRows:
        """Read the domain's file from the installed package."""
        resource = importlib.resources.files("finetune_alf.data") / "mini" / f"{self.spec.domain}.jsonl"
        with importlib.resources.as_file(resource) as path:
            train = read_split(path, "text", "label")
            revision = f"sha256:{file_digest(path)}"
        return SourceRows({"train": train}, ordered_names(train.labels), revision)
