"""What the report takes from results/multitask/<name>.json and <name>.jsonl."""

from pydantic import Field, JsonValue

from finetune_alf.recipe import Recipe
from finetune_alf.report.records import Estimate, Record, SeenEncoder, SeenSample
from finetune_alf.train.result import EpochMetrics


class TaskScore(Estimate):
    """One task's score in a cell."""

    metric: str


class CellScores(Record):
    """A row of the table; without scores where every fit diverged, without relations in the baseline itself."""

    n_seeds: int
    n_diverged: int
    overall: Estimate | None = None
    tasks: dict[str, TaskScore] = Field(default_factory=dict)
    validation: float | None = None
    kept_epoch: float | None = None
    seconds: float | None = None
    n_trainable_parameters: int | None = None
    n_parameters: int
    saved: float | None
    kept: float | None
    difference: Estimate | None


class Machine(Record):
    """Where the fits ran."""

    device: str
    precision: str
    n_threads: int


class MultitaskRecord(Record):
    """The whole table; `floor` is what naming the commonest class, or the mean score, would score."""

    name: str
    encoder: SeenEncoder
    sample: SeenSample
    recipe: Recipe
    vary: dict[str, dict[str, JsonValue]]
    baseline: str
    score_on: str
    n_seeds: int
    n_texts: dict[str, int]
    metrics: dict[str, str]
    floor: dict[str, float]
    machine: Machine
    cells: dict[str, CellScores]


class CellLine(Record):
    """A line of the cells' file, as far as it is drawn."""

    cell: str
    seed: int
    epochs: tuple[EpochMetrics, ...]
