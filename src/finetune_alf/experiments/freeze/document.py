"""results/freeze/<name>.json: the results of a freeze sweep."""

from typing import Literal

from finetune_alf.comparison import ComparedDifference, SeedsScore
from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document, EncoderIdentity
from finetune_alf.recipe import Recipe
from finetune_alf.report.search import words


class SweepSample(Document):
    """A sample of a sweep: its metrics, the first of which selects the rate, and the split that scores the cells."""

    name: str
    digest: str
    metrics: tuple[str, ...]
    score_on: Literal["validation", "test"]
    n_texts: int


class SearchResult(Document):
    """Validation scores of the full model by rate, one a seed; None where a fit diverged."""

    rate: float
    is_at_edge: bool
    scores: dict[str, tuple[float | None, ...]]


class SeedsEstimate(SeedsScore):
    """A mean over seeds with its interval, and each seed's score."""

    by_seed: tuple[float, ...]


class LevelResult(Document):
    """Scores of one level by metric, their differences from the full model, and costs; None if all fits diverged.

    `seconds` is the median of a fit. By formula: `flops` of matrix products, `layer_calls` as in `cost.LevelCost`,
    `memory_bytes` at the peak.
    """

    n_frozen: int | None
    n_trained: int
    n_seeds: int
    n_diverged: int
    scores: dict[str, SeedsEstimate | None]
    differences: dict[str, ComparedDifference | None]
    seconds: float | None
    n_trainable_parameters: int | None
    flops: float
    layer_calls: float
    memory_bytes: int


class OperatingPoint(Document):
    """The smallest number of trained layers that keeps a fraction of the full model's score, or of its gain.

    `n_trained` goes by the mean, `n_conservative` by the interval: from that number on, the interval of every margin
    lies at or above 0. Both are None if no level tried keeps it. `is_monotone`: all larger numbers tried keep it, too.
    """

    n_trained: int | None
    n_conservative: int | None
    is_monotone: bool


class OperatingPoints(Document):
    """The operating points of a sample by one metric, and the scores that they lie between.

    `gain` is the full model's score minus the majority baseline. An operating point is None if there
    is no score, or no gain, to keep.
    """

    majority_baseline: float
    full_model: SeedsEstimate | None
    gain: ComparedDifference | None
    head_only: SeedsEstimate | None
    of_score: OperatingPoint | None
    of_gain: OperatingPoint | None


class CostCalibration(Document):
    """The cost formula calibrated on the measured seconds of a sample's levels.

    `max_relative_error` is that of the level that the formula fits worst.
    """

    teraflop_s: float
    layer_call_s: float
    max_relative_error: float


class SampleTable(Document):
    """All numbers of one sample; `pareto_front` are the levels that no other level beats in both time and score."""

    sample: SweepSample
    search: SearchResult
    levels: dict[str, LevelResult]
    operating_points: dict[str, OperatingPoints]
    pareto_front: tuple[str, ...]
    calibration: CostCalibration | None

    @property
    def metric(self) -> str:
        """The metric that selected the rate."""
        return self.sample.metrics[0]

    @property
    def title(self) -> str:
        """The title of figures that show scores by that metric."""
        return f"{self.sample.name}, {words(self.metric)}"


class FreezeDocument(Document):
    """The results of a freeze sweep; `n_at_once` is how many fits ran at a time."""

    name: str
    encoder: EncoderIdentity
    recipe: Recipe
    keep_frac: float
    n_seeds: int
    n_search_seeds: int
    n_at_once: int
    environments: tuple[EnvironmentShare, ...]
    samples: dict[str, SampleTable]
