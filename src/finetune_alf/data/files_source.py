"""The source of rows from the user's own files; `readers/` reads their formats."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from finetune_alf.data.faults import Faults
from finetune_alf.data.labels import whole_numbers
from finetune_alf.data.rows import SOURCE_SPLITS, SourceRows, SplitRows, ordered_names
from finetune_alf.data.source_spec import FilesSource
from finetune_alf.data.spec import OnEmpty
from finetune_alf.data.table_rows import read_split
from finetune_alf.errors import DataError
from finetune_alf.files import file_digest
from finetune_alf.metric_names import ProblemType


@dataclass(frozen=True)
class FileRows:
    """The rows of one file for each split; relative paths start at `root`."""

    spec: FilesSource
    root: Path
    problem_type: ProblemType = "classification"
    on_empty: OnEmpty = "error"

    def rows(self) -> SourceRows:
        """Read all files; raises DataError, naming file and line of every bad row of every file."""
        paths = source_paths(self.spec, self.root)
        splits = whole_numbers(self._read(paths))
        digests = {name: file_digest(path) for name, path in paths.items()}
        _check_distinct(paths, digests)
        revision = " ".join(f"{name}=sha256:{value}" for name, value in digests.items())
        return SourceRows(splits, ordered_names(list(splits["train"].class_names)), revision)

    def _read(self, paths: Mapping[str, Path]) -> dict[str, SplitRows]:
        faults = Faults()
        splits: dict[str, SplitRows] = {}
        for name, path in paths.items():
            with faults.collecting():
                splits[name] = read_split(
                    path,
                    self.spec.text,
                    self.spec.label,
                    self.problem_type,
                    on_empty=self.on_empty,
                    faults=faults,
                    form=self.spec,
                    label_separator=self.spec.label_separator,
                    decimal=self.spec.decimal,
                )
        faults.check()
        return splits


def source_paths(spec: FilesSource, root: Path) -> dict[str, Path]:
    """Return the file of each source split, environment variables expanded, relative paths under `root`."""
    given = {name: getattr(spec, name) for name in SOURCE_SPLITS}
    return {name: root / expand_variables(path) for name, path in given.items() if path is not None}


def expand_variables(path: str) -> str:
    """Expand `${NAME}` in a path; raises DataError, naming the environment variable, when it is not set."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if not os.environ.get(name):
            raise DataError(
                f"{path}: the environment variable {name} must be set, but is not. "
                f"Set it before the command, as in `{name}=/folder/of/files finetune-alf ...`."
            )
        return os.environ[name]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", value, path)


def _check_distinct(paths: dict[str, Path], digests: dict[str, str]) -> None:
    names = list(digests)
    for number, name in enumerate(names):
        for earlier in names[:number]:
            if digests[name] == digests[earlier]:
                raise DataError(
                    f"{paths[name]}: must differ from {paths[earlier]}, but {name} and {earlier} have equal bytes. "
                    f"Leave {name} out; it is then drawn from the other splits."
                )
