"""What params.yaml says about registering."""

from typing import Annotated

from pydantic import Field

from finetune_alf.spec import Spec


class RegisterSpec(Spec):
    """How a study's schedules are confirmed and chosen.

    The `n_top` trials by search score are fitted again over `n_seeds` fresh seeds and scored on the confirmation
    split. ALF-1 is the best of them; ALF-2 the best whose rates differ from it by at least `min_distance` grid
    steps on average over the searched rates.
    """

    n_top: Annotated[int, Field(ge=2)] = 3
    n_seeds: Annotated[int, Field(ge=1)] = 2
    min_distance: Annotated[float, Field(ge=0)] = 1.0
    seed: int = 1
