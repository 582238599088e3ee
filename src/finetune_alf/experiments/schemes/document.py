"""What the report takes from results/schemes/<name>.json."""

from finetune_alf.experiments.freeze.document import Machine
from finetune_alf.recipe import Adapter, Curve, Recipe
from finetune_alf.report.records import Compared, Estimate, Record, SeenEncoder
from finetune_alf.report.search import words
from finetune_alf.report.section import code


class SizedEncoder(SeenEncoder):
    """Which encoder was fitted, and how many weights it has, head included."""

    n_parameters: int


class ComparedSample(Record):
    """A sample, and what always naming its commonest class, or its mean score, would score."""

    name: str
    n_train: int
    n_validation: int
    majority: float
    epochs: int


class MeanLoss(Record):
    """A mean over seeds, with their standard deviation where there are several."""

    mean: float
    sd_seeds: float | None


class PublishedRecord(Record):
    """The survey's own validation loss and accuracy."""

    loss: float
    accuracy: float


class CombinationRecord(Record):
    """One row: no loss and no score where every fit diverged."""

    scheme: str
    adapter: str
    curve: str
    n_diverged: int
    loss: MeanLoss | None
    score: Estimate | None
    seconds: float
    n_trainable_parameters: int
    difference: Compared | None
    published: PublishedRecord | None

    @property
    def shown(self) -> str:
        """How sentences name it."""
        return f"{code(self.scheme)} ({self.adapter}, {words(self.curve)})"


class SampleTable(Record):
    """The rows of one sample, in order."""

    sample: ComparedSample
    combinations: tuple[CombinationRecord, ...]


class SchemesRecord(Record):
    """results/schemes/<name>.json; adapters and curves with their settings, and how many fits ran at a time."""

    name: str
    encoder: SizedEncoder
    metric: str
    recipe: Recipe
    adapter_rate: float | None
    adapters: tuple[Adapter, ...]
    curves: tuple[Curve, ...]
    n_seeds: int
    n_at_once: int
    machine: Machine
    left_out: dict[str, str]
    samples: dict[str, SampleTable]
