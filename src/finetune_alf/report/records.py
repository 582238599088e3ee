"""What the report takes from the files of the stages before it: of each document the keys that are printed."""

from typing import Any

from pydantic import Field

from finetune_alf.documents import Document, EncoderIdentity, Estimate, SampleIdentity
from finetune_alf.recipe import Recipe
from finetune_alf.schedules.schedule import Schedule


class StudyRecord(Document):
    """results/study/<name>/study.json."""

    name: str
    encoder: EncoderIdentity
    sample: SampleIdentity
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


class Direction(Document):
    """Rank correlation of an address's rate with the score; None where its rate never changed."""

    rho: float | None
    low: float | None
    high: float | None


class ImportanceRecord(Document):
    """results/importance/<name>.json; `blocks` names what else is tied to an address."""

    n_trials: int
    evaluators: dict[str, dict[str, Estimate]]
    direction: dict[str, Direction]
    blocks: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Candidate(Estimate):
    """A trial fitted again over fresh seeds; its estimate is that of the confirmation split."""

    trial: int
    search_score: float
    scores: tuple[float, ...]
    distance: float | None = None


class Registered(Document):
    """A registered version, with the schedule it holds."""

    version: int | str
    digest: str
    trial: int | None
    schedule: Schedule


class LockRecord(Document):
    """results/schedules/<name>.json."""

    model: str
    metric: str
    schedules: dict[str, Registered]
    candidates: tuple[Candidate, ...]
