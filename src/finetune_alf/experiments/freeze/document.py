"""results/freeze/<name>.json: what a freeze sweep found."""

from finetune_alf.documents import Document, EncoderIdentity, Estimate, Machine
from finetune_alf.recipe import Recipe
from finetune_alf.report.search import words


class SampleOfSweep(Document):
    """A sample, its metrics, the first of which is searched by, and the split that scores the cells."""

    name: str
    digest: str
    metrics: tuple[str, ...]
    scored_on: str
    n_texts: int


class SearchResult(Document):
    """Validation scores of the full model by rate, one a seed."""

    rate: float
    is_at_edge: bool
    scores: dict[str, tuple[float | None, ...]]


class SeedsEstimate(Estimate):
    """A mean over seeds with its interval, and what each seed scored."""

    by_seed: tuple[float, ...]


class LevelResult(Document):
    """How one level did, by metric, and what it cost; no numbers where all of its fits diverged.

    `flops` and `calls` are by formula: operations in matrix products, and layers run through.
    """

    n_frozen: int | None
    n_trained: int
    n_seeds: int
    n_diverged: int
    scores: dict[str, SeedsEstimate | None]
    relative: dict[str, Estimate | None]
    seconds: float | None
    n_trainable_parameters: int | None
    flops: float
    calls: float
    memory_bytes: int


class OperatingPoint(Document):
    """What keeps the part asked for, among the levels tried; None where none of them does.

    `n_trained` is the smallest number of trained layers whose mean keeps it; `n_sure` the smallest from which on the
    whole interval of every margin lies at or above 0: between the two the seeds and texts seen do not tell.
    `is_steady` says that every larger number tried keeps it too.
    """

    n_trained: int | None
    n_sure: int | None
    is_steady: bool


class OperatingPoints(Document):
    """The operating points of one sample and metric; `above_majority` is what the full model gains."""

    majority: float
    full: SeedsEstimate | None
    above_majority: Estimate | None
    none_trained: SeedsEstimate | None
    raw: OperatingPoint | None
    gain: OperatingPoint | None


class CostFit(Document):
    """Seconds by formula: those of 1e12 operations, and of a layer run through.

    `worst` is how far the farthest level lies off, as a part of what was measured.
    """

    tera_s: float
    call_s: float
    worst: float


class SampleTable(Document):
    """All numbers of one sample; `front` names the levels that no other one beats in seconds and score."""

    sample: SampleOfSweep
    search: SearchResult
    levels: dict[str, LevelResult]
    operating: dict[str, OperatingPoints]
    front: tuple[str, ...]
    cost_fit: CostFit | None

    @property
    def metric(self) -> str:
        """The metric that was searched by."""
        return self.sample.metrics[0]

    @property
    def title(self) -> str:
        """What stands above a figure of scores by that metric."""
        return f"{self.sample.name}, {words(self.metric)}"


class FreezeDocument(Document):
    """A freeze sweep; `n_at_once` is how many fits ran at a time."""

    name: str
    encoder: EncoderIdentity
    recipe: Recipe
    keep: float
    n_seeds: int
    n_search_seeds: int
    n_at_once: int
    machine: Machine
    samples: dict[str, SampleTable]
