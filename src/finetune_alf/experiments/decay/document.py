"""results/decay/<name>.json: the grid's accuracies, and the published error rates."""

from finetune_alf.comparison import ComparedDifference, SeedsScore
from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document, EncoderIdentity
from finetune_alf.recipe import Recipe


class DecaySample(Document):
    """The sample; `majority_error` is the error of predicting the most frequent class for all test texts."""

    name: str
    digest: str
    n_train: int
    n_test: int
    majority_error: float


class PairResult(Document):
    """A rate and a factor; no accuracy where every fit diverged.

    `difference` is from the accuracy of a factor of 1 at the same rate, where the grid has one. `published_error` is
    Sun et al.'s, as a fraction.
    """

    rate: float
    factor: float
    n_seeds: int
    n_diverged: int
    accuracy: SeedsScore | None
    difference: ComparedDifference | None
    published_error: float | None
    seconds: float


class DecayDocument(Document):
    """A decay grid, in the order of params.yaml."""

    name: str
    encoder: EncoderIdentity
    sample: DecaySample
    recipe: Recipe
    n_seeds: int
    environments: tuple[EnvironmentShare, ...]
    pairs: tuple[PairResult, ...]
