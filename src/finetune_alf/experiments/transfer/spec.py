"""The spec of the section `transfer` in params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.paths import Name
from finetune_alf.spec import Spec
from finetune_alf.stats import MIN_SEEDS

SchemeName = Literal["feature_extraction", "baseline", "alf-1", "alf-2", "decayed"]
SCHEMES: tuple[SchemeName, ...] = ("feature_extraction", "baseline", "alf-1", "alf-2", "decayed")


class TransferSpec(Spec):
    """The studies whose schedules are tried, the samples, the schemes compared there, and the number of seeds.

    Without studies or without samples there is no transfer. `decay` is the factor of layer-wise decay, from the
    baseline's rate at the top (Sun et al. 2019, figure 2.1 of the thesis). Fewer `n_seeds` than the default have no
    verdict.
    """

    studies: tuple[Name, ...] = ()
    samples: tuple[Name, ...] = ()
    schemes: Annotated[tuple[SchemeName, ...], Field(min_length=1)] = SCHEMES
    n_seeds: Annotated[int, Field(ge=1)] = MIN_SEEDS
    decay: Annotated[float, Field(gt=0, le=1)] = 0.95
    seed: int = 1
