"""results/labels/<name>.json: scores by sample, scheme and number of training texts, and what more texts are worth."""

from typing import Literal

from finetune_alf.comparison import ComparedDifference, SeedsScore
from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document, EncoderIdentity, Estimate
from finetune_alf.metric_names import MetricName
from finetune_alf.recipe import AnyRecipe, Recipe


class LabelsSample(Document):
    """A sample; `n_pool` is the number of texts that draws are from, `majority_baseline` the score of one answer."""

    name: str
    digest: str
    n_pool: int
    n_test: int
    majority_baseline: float


class EquivalentTexts(Document):
    """With how many texts the baseline scores the same, as in `stats.learning_curve.Equivalent`."""

    n: int | None
    low: int | None
    high: int | None
    beyond: Literal["above", "below"] | None


class SizeResult(Document):
    """A scheme with so many training texts; without a score where every fit diverged.

    `gain` is what 100 more texts add from the size before up to this one. `difference` is from the baseline with as
    many texts, `equivalent` the number of texts with which the baseline scores the same; the baseline has neither.
    """

    n_train: int
    n_seeds: int
    n_diverged: int
    score: SeedsScore | None
    gain: Estimate | None
    difference: ComparedDifference | None
    equivalent: EquivalentTexts | None
    seconds: float


class SampleTable(Document):
    """The results on one sample: by scheme, from the smallest number of texts up."""

    sample: LabelsSample
    schemes: dict[str, tuple[SizeResult, ...]]


class LabelsDocument(Document):
    """A labels experiment; `recipes` are those of the schemes, at the encoder's depth."""

    name: str
    encoder: EncoderIdentity
    metric: MetricName
    recipe: Recipe
    recipes: dict[str, AnyRecipe]
    baseline: str
    n_train: tuple[int, ...]
    n_validation: int
    n_seeds: int
    environments: tuple[EnvironmentShare, ...]
    samples: dict[str, SampleTable]
