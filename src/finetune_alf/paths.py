"""Where each stage reads and writes, below one root."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""A name that params.yaml gives: it becomes a folder, a stage's key and a part of a registered model's name."""


@dataclass(frozen=True)
class Paths:
    """The folders of a project; names are checked by the params before they come here."""

    root: Path

    def sample(self, name: str) -> Path:
        """Return the folder of a drawn sample."""
        return self.root / "data" / "samples" / name

    @property
    def encoders(self) -> Path:
        """Encoders that were trained further."""
        return self.root / "data" / "encoders"

    def adapted(self, name: str) -> Path:
        """Return the folder of an encoder that was trained further, by the name of its adaptation."""
        return self.encoders / name

    @property
    def studies(self) -> Path:
        """The studies' own databases and locks."""
        return self.root / "studies"

    def ledger(self, stage: str) -> Path:
        """Return the file that keeps a stage's finished fits while it runs."""
        return self.studies / f"{stage}.jobs.jsonl"

    @property
    def results(self) -> Path:
        """The small files that stages hand on."""
        return self.root / "results"

    def study_results(self, name: str) -> Path:
        """Return the folder of a study's trials."""
        return self.results / "study" / name

    def importance(self, name: str) -> Path:
        """Return the record of a study's importance; its figure lies beside it."""
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

    def encoder_card(self, name: str) -> Path:
        """Return the file that says which encoder a name stands for."""
        return self.results / "encoder" / f"{name}.json"

    @property
    def report(self) -> Path:
        """The report's folder."""
        return self.results / "report"

    @property
    def mlruns(self) -> Path:
        """MLflow's database and artifacts, unless a server is named."""
        return self.root / "mlruns"
