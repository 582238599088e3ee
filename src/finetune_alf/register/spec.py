"""The params of registering: `register` in params.yaml."""

from typing import Annotated

from pydantic import Field

from finetune_alf.spec import Spec


class RegisterSpec(Spec):
    """How a study's trials are confirmed and chosen as schedules.

    The `n_top` trials with the best score are fitted again with `n_seeds` new seeds and scored on the confirmation
    split. ALF-1 is the best of them. ALF-2 is the best whose rates differ from those of ALF-1 by at least
    `min_distance` grid steps, as a mean over the searched rates.
    """

    n_top: Annotated[int, Field(ge=2)] = 3
    n_seeds: Annotated[int, Field(ge=1)] = 2
    min_distance: Annotated[float, Field(ge=0)] = 1.0
    seed: int = 1
