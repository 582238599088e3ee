"""results/multitask/<name>.json: the scores and costs of a multi-task experiment's cells."""

from pydantic import Field, JsonValue

from finetune_alf.comparison import ComparedDifference, SeedsScore
from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document, EncoderIdentity, SampleIdentity
from finetune_alf.recipe import Recipe


class TaskScore(SeedsScore):
    """One task's score in a cell."""

    metric: str


class CellScores(Document):
    """The scores of one cell, and their costs.

    `validation` is the overall score of the kept epoch on the validation split. All are means over seeds, but `seconds`
    is a median.
    """

    overall: SeedsScore
    tasks: dict[str, TaskScore]
    validation: float
    kept_epoch: float
    seconds: float
    n_trainable_parameters: int


class CellResult(Document):
    """A row of the table; without scores where every fit diverged.

    `time_saved` is the share of the baseline's time that the cell saves, `score_kept` the share of its score that the
    cell keeps; they and the difference from it are None in the baseline itself.
    """

    n_seeds: int
    n_diverged: int
    n_parameters: int
    scores: CellScores | None
    time_saved: float | None = None
    score_kept: float | None = None
    difference: ComparedDifference | None = None


class MultitaskDocument(Document):
    """The whole table; `majority_baselines` are the scores of one prediction for all texts, by task and overall."""

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
    majority_baselines: dict[str, float]
    environments: tuple[EnvironmentShare, ...]
    cells: dict[str, CellResult] = Field(min_length=1)
