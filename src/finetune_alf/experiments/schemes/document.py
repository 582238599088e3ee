"""results/schemes/<name>.json: a testbed's tables."""

from typing import Literal

from finetune_alf.comparison import ComparedDifference, SeedsScore
from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document, EncoderIdentity
from finetune_alf.metric_names import MetricName
from finetune_alf.recipe import Adapter, Curve, Recipe


class SizedEncoder(EncoderIdentity):
    """Which encoder was fitted, and its number of parameters, head included."""

    n_parameters: int


class SchemesSample(Document):
    """A sample; `majority_baseline` is what one prediction for all of its `n_texts` scored texts would score."""

    name: str
    digest: str
    n_train: int
    n_texts: int
    majority_baseline: float
    epochs: int


class MeanLoss(Document):
    """A mean loss over seeds, with their standard deviation where there are several."""

    mean: float
    sd_seeds: float | None


class PublishedScores(Document):
    """Validation loss and accuracy in the survey's tables."""

    loss: float
    accuracy: float


class CombinationResult(Document):
    """One row; without loss and score where every fit diverged."""

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


class SampleTable(Document):
    """The rows of one sample, in order."""

    sample: SchemesSample
    combinations: tuple[CombinationResult, ...]


class SchemesDocument(Document):
    """A testbed; `left_out` is why a combination is not fitted, by its name, `n_at_once` how many fits ran together."""

    name: str
    encoder: SizedEncoder
    metric: MetricName
    score_on: Literal["validation", "test"]
    stretch: bool
    rescale: bool
    recipe: Recipe
    adapter_rate: float | None
    adapters: tuple[Adapter, ...]
    curves: tuple[Curve, ...]
    n_seeds: int
    n_at_once: int
    environments: tuple[EnvironmentShare, ...]
    left_out: dict[str, str]
    samples: dict[str, SampleTable]
