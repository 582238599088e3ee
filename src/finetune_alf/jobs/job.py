"""A fit as a job: small, frozen and picklable, so that it can be sent to a worker process."""

from dataclasses import dataclass
from typing import Literal

from finetune_alf.compute import Precision
from finetune_alf.encoder.spec import AnyEncoder
from finetune_alf.recipe import AnyRecipe, Recipe

ScoredSplit = Literal["validation", "confirmation", "test"]


@dataclass(frozen=True)
class FitJob:
    """One fit: a trial, a confirmation or a cell. `sample` is the sample's digest.

    `precision` is resolved by the process that makes the job, since results are kept under it. `metric` is for a single
    task; with `tasks` in the recipe each task has its own, and the score is the overall one.
    """

    key: str
    recipe: AnyRecipe
    encoder: AnyEncoder
    sample: str
    seed: int
    precision: Precision
    score_on: ScoredSplit = "validation"
    metric: str = "accuracy"

    @property
    def fine_tuning(self) -> Recipe:
        """The recipe of a job that fine-tunes an encoder; TypeError for another job."""
        if not isinstance(self.recipe, Recipe):
            raise TypeError(f"{self.key} is no fine-tuning but {self.recipe}")
        return self.recipe
