"""What the report takes from the files of the stages before it: of each document the keys that are printed."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from finetune_alf.recipe import Recipe
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.train.result import EpochMetrics


class Record(BaseModel):
    """A document, or a part of one; keys that the report does not print may be there."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Estimate(Record):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


class SeenEncoder(Record):
    """Which encoder was fitted, exactly."""

    name: str
    identity: str
    n_layers: int


class SeenSample(Record):
    """Which sample was fitted on; `counts` is rows by split and class, where the stage wrote them down."""

    name: str
    digest: str
    counts: dict[str, dict[str, int]] | None = None


class StudyRecord(Record):
    """results/study/<name>/study.json."""

    name: str
    encoder: SeenEncoder
    sample: SeenSample
    metric: str
    space: dict[str, Any]
    sampler: dict[str, Any]
    pruner: dict[str, Any] | None = None
    seed: int
    recipe: Recipe
    n_trials: int
    n_workers: int
    versions: dict[str, str | None]
    seconds: float


class Direction(Record):
    """Rank correlation of an address's rate with the score; None where its rate never changed."""

    rho: float | None
    low: float | None
    high: float | None


class ImportanceRecord(Record):
    """results/importance/<name>.json; `blocks` names what else is tied to an address."""

    n_trials: int
    evaluators: dict[str, dict[str, Estimate]]
    direction: dict[str, Direction]
    blocks: dict[str, tuple[str, ...]] = {}


class Candidate(Estimate):
    """A trial fitted again over fresh seeds; its estimate is that of the confirmation split."""

    trial: int
    search_score: float
    scores: tuple[float, ...]
    distance: float | None = None


class Registered(Record):
    """A registered version, with the schedule it holds."""

    version: int | str
    digest: str
    trial: int | None
    schedule: Schedule


class LockRecord(Record):
    """results/schedules/<name>.json."""

    model: str
    metric: str
    schedules: dict[str, Registered]
    candidates: tuple[Candidate, ...]


class Compared(Estimate):
    """A scheme's difference from the baseline, tested."""

    p: float
    p_holm: float
    verdict: str


class SchemeResult(Record):
    """A scheme's test scores on one sample: by the metric, and accuracies where labels are classes.

    No difference for the baseline itself. Where files have accuracies alone, those were the metric.
    """

    score: Estimate
    accuracy: Estimate | None = None
    balanced_accuracy: Estimate | None = None
    difference: Compared | None

    @model_validator(mode="before")
    @classmethod
    def _by_accuracy(cls, given: Any) -> Any:
        has_accuracy = isinstance(given, dict) and "accuracy" in given
        return {"score": given["accuracy"], **given} if has_accuracy else given


class TestSample(Record):
    """The sample that a transfer was tested on; `majority` is what its commonest class, or its mean score, scores."""

    name: str
    n_test: int
    majority: float


class TransferRecord(Record):
    """results/transfer/<study>/<sample>.json."""

    metric: str = "accuracy"
    sample: TestSample
    schemes: dict[str, SchemeResult]


class Cell(Record):
    """A line of results/transfer/<study>/<sample>.jsonl."""

    scheme: str
    seed: int
    seconds: float
    stopped: str
    epochs: tuple[EpochMetrics, ...]
