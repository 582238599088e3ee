"""results/multitask/<name>.json: what the cells of a multi-task experiment scored and cost."""

from pydantic import Field, JsonValue

from finetune_alf.documents import Document, EncoderIdentity, Estimate, Machine, SampleIdentity
from finetune_alf.recipe import Recipe


class TaskScore(Estimate):
    """One task's score in a cell."""

    metric: str


class CellScores(Document):
    """The scores of one cell, and what they cost.

    `validation` is the overall score on the validation split of the epoch that counts, `kept_epoch` that epoch; all
    are means over seeds, `seconds` a median.
    """

    overall: Estimate
    tasks: dict[str, TaskScore]
    validation: float
    kept_epoch: float
    seconds: float
    n_trainable_parameters: int


class CellResult(Document):
    """A row of the table; without scores where every fit diverged, without relations in the baseline itself.

    `saved` is the share of the baseline's time that the cell saves, `kept` the share of its score that it keeps.
    """

    n_seeds: int
    n_diverged: int
    n_parameters: int
    scores: CellScores | None
    saved: float | None = None
    kept: float | None = None
    difference: Estimate | None = None


class MultitaskDocument(Document):
    """The whole table; `floor` is what naming the commonest class, or the mean score, would score."""

    name: str
    encoder: EncoderIdentity
    sample: SampleIdentity
    recipe: Recipe
    vary: dict[str, dict[str, JsonValue]]
    baseline: str
    score_on: str
    n_seeds: int
    n_texts: dict[str, int]
    metrics: dict[str, str]
    floor: dict[str, float]
    machine: Machine
    cells: dict[str, CellResult] = Field(min_length=1)
