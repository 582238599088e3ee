"""The spec of the section `transfer` in params.yaml."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from finetune_alf.experiments.scheme_spec import Schemes, schemes_named
from finetune_alf.paths import Name
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.spec import Spec

DEFAULT_SCHEMES = schemes_named("feature_extraction", "baseline", "alf-1", "alf-2", "decayed", "uniform", "probe")


def _moved(decay: object) -> None:
    if decay is not None:
        raise ValueError(
            "is a setting of its scheme now: delete this key, here and in dvc.yaml. For a factor other than 0.95, "
            f"put {{kind: decayed, factor: {decay}}} into `schemes` in place of decayed"
        )


class TransferSpec(Spec):
    """The studies whose schedules are tried, the samples, the schemes compared there, and the number of seeds.

    Without studies or without samples there is no transfer. Fewer `n_seeds` than the default have no verdict.
    """

    studies: tuple[Name, ...] = ()
    """Names of entries of `studies`, whose schedules are tried."""
    samples: tuple[Name, ...] = ()
    schemes: Schemes = DEFAULT_SCHEMES
    """What is compared: names, or maps with settings."""
    n_seeds: Annotated[int, Field(ge=1)] = MIN_SEEDS
    """The seeds of each scheme on each sample; fewer than five have no verdict."""
    seed: int = 1
    decay: Annotated[None, BeforeValidator(_moved)] = Field(default=None, exclude=True)
    """No setting any more: the scheme `decayed` has it."""
