"""What the report takes from results/freeze/<name>.json."""

from finetune_alf.recipe import Recipe
from finetune_alf.report.records import Estimate, Record, SeenEncoder
from finetune_alf.report.search import words


class SweptSampleRecord(Record):
    """A sample, its metrics, the first one searched by, and the split that scored the cells."""

    name: str
    digest: str
    metrics: tuple[str, ...]
    scored_on: str
    n_texts: int


class SearchRecord(Record):
    """Validation scores of the full model by rate, one a seed."""

    rate: float
    is_at_edge: bool
    scores: dict[str, tuple[float | None, ...]]


class LevelRecord(Record):
    """How one level did, by metric, and what it cost; no numbers where all of its fits diverged."""

    n_frozen: int | None
    n_trained: int
    n_seeds: int
    n_diverged: int
    scores: dict[str, Estimate | None]
    relative: dict[str, Estimate | None]
    seconds: float | None
    flops: float
    memory_bytes: int


class PointRecord(Record):
    """An operating point: the smallest number of trained layers by the means, and the smallest that is sure."""

    n_trained: int | None
    n_sure: int | None
    is_steady: bool


class OperatingRecord(Record):
    """The operating points of one sample and metric; `above_majority` is what the full model gains."""

    majority: float
    full: Estimate | None
    above_majority: Estimate | None = None
    none_trained: Estimate | None
    raw: PointRecord | None
    gain: PointRecord | None


class CostFitRecord(Record):
    """Seconds of 1e12 operations and of a layer run through, and how far the farthest level lies off."""

    tera_s: float
    call_s: float
    worst: float


class SweptRecord(Record):
    """All numbers of one sample; `front` names the levels that no other one beats in seconds and score."""

    sample: SweptSampleRecord
    search: SearchRecord
    levels: dict[str, LevelRecord]
    operating: dict[str, OperatingRecord]
    front: tuple[str, ...]
    cost_fit: CostFitRecord | None

    @property
    def metric(self) -> str:
        """The metric that was searched by."""
        return self.sample.metrics[0]

    @property
    def title(self) -> str:
        """What stands above a figure of scores by that metric."""
        return f"{self.sample.name}, {words(self.metric)}"


class Machine(Record):
    """Where the fits ran."""

    device: str
    precision: str
    n_threads: int


class FreezeRecord(Record):
    """results/freeze/<name>.json."""

    name: str
    encoder: SeenEncoder
    recipe: Recipe
    keep: float
    n_seeds: int
    n_search_seeds: int
    n_at_once: int
    machine: Machine
    samples: dict[str, SweptRecord]
