"""The source of rows from the user's own files; `readers/` reads their formats."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from finetune_alf.data.rows import SOURCE_SPLITS, SourceRows, check_labels, ordered_names
from finetune_alf.data.spec import FilesSource
from finetune_alf.data.table_rows import read_split
from finetune_alf.errors import DataError
from finetune_alf.files import file_digest
from finetune_alf.metrics import ProblemType


@dataclass(frozen=True)
class FileRows:
    """The rows of one file for each split; relative paths start at `root`."""

    spec: FilesSource
    root: Path
    problem_type: ProblemType = "classification"

    def rows(self) -> SourceRows:
        """Read all files; raises DataError, naming file and line."""
        paths = source_paths(self.spec, self.root)
        splits = {
            name: read_split(path, self.spec.text, self.spec.label, self.problem_type) for name, path in paths.items()
        }
        digests = {name: file_digest(path) for name, path in paths.items()}
        _check_distinct(paths, digests)
        revision = " ".join(f"{name}=sha256:{value}" for name, value in digests.items())
        rows = SourceRows(splits, ordered_names(splits["train"].labels), revision)
        check_labels(rows)
        return rows


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
