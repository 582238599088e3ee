"""results/forgetting/<name>.json: the errors of each rate by step, and the accuracies after the last step."""

from finetune_alf.comparison import ComparedDifference, SeedsScore
from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document, EncoderIdentity
from finetune_alf.recipe import Recipe


class ForgettingSample(Document):
    """The sample; `majority_error` is the error of predicting the most frequent class for all validation texts."""

    name: str
    digest: str
    n_train: int
    n_validation: int
    majority_error: float


class ErrorAt(Document):
    """The validation error after so many steps: its mean, lowest and highest value over the seeds that got there."""

    step: int
    mean: float
    low: float
    high: float
    n_seeds: int


class RateResult(Document):
    """One rate. `accuracy` is that after the last step, None where every fit diverged.

    `difference` is that accuracy minus that of the lowest rate, which has none itself.
    """

    rate: float
    n_seeds: int
    n_diverged: int
    errors: tuple[ErrorAt, ...]
    accuracy: SeedsScore | None
    difference: ComparedDifference | None
    seconds: float


class ForgettingDocument(Document):
    """A forgetting experiment, rates from the lowest up."""

    name: str
    encoder: EncoderIdentity
    sample: ForgettingSample
    recipe: Recipe
    every_steps: int
    n_steps: int
    n_seeds: int
    environments: tuple[EnvironmentShare, ...]
    rates: tuple[RateResult, ...]
