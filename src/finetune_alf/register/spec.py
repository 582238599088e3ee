"""The params of registering: `register` in params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.spec import Count, Spec

Requirement = Literal["none", "not_worse", "better"]
"""What a schedule must show to be registered."""


class RegisterSpec(Spec):
    """How a study's trials are confirmed and chosen as schedules.

    The `n_top` trials with the best score are fitted again with `n_seeds` new seeds and scored on the confirmation
    split, and so are the baseline and the best single rate. ALF-1 is the best of the trials. ALF-2 is the best whose
    rates differ from those of ALF-1 by at least `min_distance` grid steps, as a mean over the searched rates; where
    rates are from a range it is decades.

    `require` is what a schedule must show against the baseline to be registered: nothing, as in the thesis; a
    difference whose interval lies above -`margin`; or the verdict "better". Both take five seeds.
    """

    n_top: Annotated[int, Field(ge=2)] = 3
    n_seeds: Count = 2
    min_distance: Annotated[float, Field(ge=0)] = 1.0
    seed: int = 1
    require: Requirement = "none"
    margin: Annotated[float, Field(ge=0, le=1)] = 0.01

    @model_validator(mode="after")
    def _check_seeds(self) -> Self:
        if self.require != "none" and self.n_seeds < MIN_SEEDS:
            raise ValueError(
                f"n_seeds must be at least {MIN_SEEDS} with `require: {self.require}`, but got {self.n_seeds}: fewer "
                "do not show how much scores vary between seeds"
            )
        return self
