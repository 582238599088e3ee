"""What the transfers of a study found across samples: documents and cells as they were written, and what follows."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from finetune_alf.comparison import ComparedDifference
from finetune_alf.experiments.cell_line import time_of_a_fit
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.document import SchemeResult, TransferDocument
from finetune_alf.experiments.transfer.family import Contrast, judged_transfers, scheme_differences
from finetune_alf.paths import Paths
from finetune_alf.register.recommend import BASELINE, UNIFORM, SchemeDifferences
from finetune_alf.report.search import words


@dataclass(frozen=True)
class SampleTransfer:
    """A study's transfer to one sample: its document and its cells."""

    document: TransferDocument
    cells: tuple[TransferLine, ...]


@dataclass(frozen=True)
class StudyTransfers:
    """The transfers of one study, all by one metric, in the order of the files."""

    study: str
    by_sample: tuple[SampleTransfer, ...]

    @property
    def documents(self) -> tuple[TransferDocument, ...]:
        """The document of each sample."""
        return tuple(one.document for one in self.by_sample)

    @property
    def searched_on(self) -> str:
        """The name of the sample that the study was searched on, whether it is among these or not."""
        return self.documents[0].searched_on

    @property
    def metric(self) -> str:
        """The metric in words."""
        return " or ".join(dict.fromkeys(words(document.metric) for document in self.documents))

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes of all samples."""
        return tuple(dict.fromkeys(scheme for document in self.documents for scheme in document.schemes))

    @property
    def results(self) -> tuple[SchemeResult, ...]:
        """The results of all schemes on all samples."""
        return tuple(result for document in self.documents for result in document.schemes.values())

    @property
    def cells(self) -> tuple[TransferLine, ...]:
        """The cells of all samples."""
        return tuple(cell for one in self.by_sample for cell in one.cells)

    @property
    def n_seeds(self) -> int:
        """The number of seeds of a scheme."""
        return len({cell.seed for cell in self.cells})

    @property
    def n_diverged(self) -> Counter[str]:
        """Scheme -> the number of its cells that diverged; those without any are left out."""
        return Counter(cell.scheme for cell in self.cells if cell.stopped == "diverged")

    @property
    def single_rate_is_baseline(self) -> bool:
        """Whether the best single rate is the baseline's own: its cells have the same rates."""
        rates = {cell.scheme: cell.rates for cell in self.cells}
        return UNIFORM in rates and BASELINE in rates and rates[UNIFORM] == rates[BASELINE]

    @cached_property
    def differences(self) -> dict[Contrast, ComparedDifference]:
        """All differences, those of the declared family with verdicts."""
        return judged_transfers(self.documents)

    @property
    def declared(self) -> dict[Contrast, ComparedDifference]:
        """The differences of the declared family."""
        return {contrast: found for contrast, found in self.differences.items() if found.verdict}

    @property
    def exploratory(self) -> dict[Contrast, ComparedDifference]:
        """All other differences."""
        return {contrast: found for contrast, found in self.differences.items() if not found.verdict}

    @property
    def tested(self) -> dict[str, SchemeDifferences] | None:
        """Scheme -> its differences on the sample that the study was searched on; None where that is not here."""
        searched = [document for document in self.documents if document.sample.name == self.searched_on]
        return scheme_differences(searched[0]) if searched else None

    def fit_seconds(self, scheme: str) -> float | None:
        """Return the mean seconds of a scheme's fits; None where it has none."""
        fits = [cell for cell in self.cells if cell.scheme == scheme]
        return time_of_a_fit(fits) if fits else None


def read_transfers(paths: Paths) -> Iterator[StudyTransfers]:
    """Yield the transfers of each study that has some. InputError names a broken file."""
    for folder in sorted(folder for folder in paths.experiment("transfer").glob("[!.]*") if folder.is_dir()):
        if found := tuple(_read(paths, folder)):
            yield StudyTransfers(folder.name, found)


def _read(paths: Paths, folder: Path) -> Iterator[SampleTransfer]:
    for file in sorted(folder.glob("[!.]*.json")):
        if not file.name.endswith(".predictions.json"):
            cells = TransferLine.read_lines(paths.cells("transfer", folder.name, file.stem))
            yield SampleTransfer(TransferDocument.read(file), cells)
