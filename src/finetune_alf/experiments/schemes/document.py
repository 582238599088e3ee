"""results/schemes/<name>.json: a testbed's tables."""

from finetune_alf.documents import Document, EncoderIdentity, Machine
from finetune_alf.experiments.comparison import ComparedDifference, SeedsScore
from finetune_alf.recipe import Adapter, Curve, Recipe
from finetune_alf.report.search import words
from finetune_alf.report.section import code


class SizedEncoder(EncoderIdentity):
    """Which encoder was fitted, and how many weights it has, head included."""

    n_parameters: int


class SampleOfTestbed(Document):
    """A sample, and what always naming its commonest class, or its mean score, would score."""

    name: str
    digest: str
    n_train: int
    n_validation: int
    majority: float
    epochs: int


class MeanLoss(Document):
    """A mean over seeds, with their standard deviation where there are several."""

    mean: float
    sd_seeds: float | None


class PublishedScores(Document):
    """The survey's own validation loss and accuracy."""

    loss: float
    accuracy: float


class CombinationResult(Document):
    """One row: no loss and no score where every fit diverged."""

    scheme: str
    adapter: str
    curve: str
    n_seeds: int
    n_diverged: int
    loss: MeanLoss | None
    score: SeedsScore | None
    seconds: float
    n_trainable_parameters: int
    difference: ComparedDifference | None
    published: PublishedScores | None

    @property
    def shown(self) -> str:
        """How sentences name it."""
        return f"{code(self.scheme)} ({self.adapter}, {words(self.curve)})"


class SampleTable(Document):
    """The rows of one sample, in order."""

    sample: SampleOfTestbed
    combinations: tuple[CombinationResult, ...]


class SchemesDocument(Document):
    """A testbed; adapters and curves with their settings, and how many fits ran at a time."""

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
