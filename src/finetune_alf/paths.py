"""Paths of the files and folders that stages read and write, below one root, and which command writes a file."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

MAX_NAME = 64
"""The most characters of a name."""

NAME_PATTERN = rf"^[a-z0-9][a-z0-9_-]{{0,{MAX_NAME - 1}}}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""A name in params.yaml, used in folders, DVC stages and names of registered models."""


def command_in(root: Path, *words: str) -> str:
    """Return a command of finetune-alf for a root, as a shell takes it."""
    where = [] if root == Path() else ["--root", str(root)]
    return shlex.join(["finetune-alf", *words, *where])


_WRITTEN_BY = {
    ("data", "samples"): ("prepare", 1),
    ("data", "encoders"): ("adapt", 1),
    ("models",): ("fit --study", 1),
    ("results", "schedules"): ("register", 1),
    ("results", "artifacts"): ("register", 1),
    ("results", "fit"): ("fit --study", 1),
    ("results", "transfer"): ("transfer", 2),
}
"""The command that writes what lies in a folder, and how many names below it the command takes.

The other folders of results have the name of their command, and take one.
"""


def way_out_of(path: Path) -> str:
    """Return one sentence on how a damaged or missing file is made again, with the command where a stage writes it."""
    command = _command_that_writes(path)
    if command is None:
        return "Run the stage that writes it again, or restore the file."
    return f"Run `{command}`, which writes it."


def _command_that_writes(path: Path) -> str | None:
    for start in reversed(range(len(path.parts) - 1)):
        root, below = Path(*path.parts[:start]), path.parts[start:]
        known = next((key for key in _WRITTEN_BY if below[: len(key)] == key), below[:2])
        words, n_names = _WRITTEN_BY.get(known, (below[1], 1))
        names = [name.partition(".")[0] for name in below[len(known) : len(known) + n_names]]
        is_ours = known in _WRITTEN_BY or below[0] == "results"
        if is_ours and len(names) == n_names and Paths(root).params_in_force.exists():
            return command_in(root, *words.split(), *names)
    return None


@dataclass(frozen=True)
class Paths:
    """The files and folders of a project; the params models validate the names.

    `results_in` is the folder of all results, relative to the root.
    """

    root: Path
    results_in: str = "results"

    def command(self, *words: str) -> str:
        """Return a command of finetune-alf for this root, as a shell takes it."""
        return command_in(self.root, *words)

    @property
    def params(self) -> Path:
        """The project's params.yaml."""
        return self.root / "params.yaml"

    @property
    def kept_params(self) -> Path:
        """The file in which a run keeps the parameters that it ran with."""
        return self.results / "params.yaml"

    @property
    def params_in_force(self) -> Path:
        """The project's params.yaml, or what its last run kept where it has none."""
        return self.kept_params if not self.params.exists() and self.kept_params.exists() else self.params

    def sample(self, name: str) -> Path:
        """Return the folder of a drawn sample."""
        return self.root / "data" / "samples" / name

    @property
    def encoders(self) -> Path:
        """The folder of all adapted encoders."""
        return self.root / "data" / "encoders"

    def adapted(self, name: str) -> Path:
        """Return the folder of the encoder that an adaptation makes."""
        return self.encoders / name

    def model(self, study: str) -> Path:
        """Return the folder of a study's saved classifier."""
        return self.root / "models" / study

    @property
    def studies(self) -> Path:
        """The folder of studies' databases, ledgers and locks."""
        return self.root / "studies"

    @property
    def project(self) -> Path:
        """The file with the project's id, where params.yaml names none."""
        return self.studies / "project.txt"

    @property
    def spools(self) -> Path:
        """The folder of what waits to be written to MLflow."""
        return self.studies / "spool"

    def ledger(self, stage: str) -> Path:
        """Return the ledger of a stage's finished fits."""
        return self.studies / f"{stage}.jobs.jsonl"

    @property
    def results(self) -> Path:
        """The folder of all results."""
        return self.root / self.results_in

    def study_results(self, name: str) -> Path:
        """Return the folder of a study's trials."""
        return self.results / "study" / name

    def importance(self, name: str) -> Path:
        """Return the file of a study's importance; its figure is in the same folder."""
        return self.results / "importance" / f"{name}.json"

    def schedules(self, name: str) -> Path:
        """Return the lock file of a study's registered schedules."""
        return self.results / "schedules" / f"{name}.json"

    def experiment(self, key: str) -> Path:
        """Return the folder of an experiment's documents and cells."""
        return self.results / key

    def document(self, key: str, *names: str) -> Path:
        """Return the document of what an experiment ran under these names."""
        *folders, name = names
        return self.experiment(key).joinpath(*folders, f"{name}.json")

    def cells(self, key: str, *names: str) -> Path:
        """Return the cells beside a document, one a line."""
        return self.document(key, *names).with_suffix(".jsonl")

    def artifacts(self, study: str) -> Path:
        """Return the folder of a study's schedules, each a file by its alias, with the fits of their registration."""
        return self.results / "artifacts" / study

    def registration_fits(self, study: str) -> Path:
        """Return the file with the fits of a study's registration, one a line."""
        return self.artifacts(study) / "fits.jsonl"

    def summary(self, stage: str, *names: str) -> Path:
        """Return the file with the numbers of a stage that DVC shows."""
        return self.results.joinpath("summary", stage, *names[:-1], f"{names[-1]}.json")

    def plot(self, kind: str, *names: str) -> Path:
        """Return the file with the rows of a plot that DVC shows."""
        return self.results.joinpath("plots", kind, *names[:-1], f"{names[-1]}.json")

    def encoder_card(self, name: str) -> Path:
        """Return the file with the identity of a named encoder."""
        return self.results / "encoder" / f"{name}.json"

    @property
    def report(self) -> Path:
        """The folder of the report."""
        return self.results / "report"

    @property
    def mlruns(self) -> Path:
        """The folder of MLflow's database and artifacts, unless a tracking server is configured."""
        return self.root / "mlruns"
