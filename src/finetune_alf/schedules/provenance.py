"""Where a schedule comes from, and what it scored."""

from typing import Annotated

from pydantic import Field

from finetune_alf.compute import Precision
from finetune_alf.rates import Address
from finetune_alf.spec import NOTE, Count, Spec

_Score = Annotated[float, Field(ge=-1, le=1)]
_Text = Annotated[str, Field(max_length=500)]


class Provenance(Spec):
    """Where a schedule comes from; fields that are unknown for a published schedule are None.

    Version, commit, precision and `created`, the end of the trial in ISO 8601, are those of its trial, so that
    registering again does not change the digest. `assumed` are the fields of the recipe that the cited source does not
    give, as in `clip` or `early_stopping.patience`: they are this package's choice. `movement` is how far the
    trial moved the weights at each address, relative to their size, in `n_steps` steps; for a published schedule these
    are the most that its epochs may take.
    """

    study: _Text
    encoder: _Text
    architecture: _Text
    n_layers: Count
    sample_name: _Text
    sample_digest: _Text | None = None
    trial: Annotated[int, Field(ge=0)] | None = None
    package_version: _Text | None = None
    git_commit: _Text | None = None
    precision: Precision | None = None
    created: _Text | None = None
    citation: _Text | None = None
    assumed: Annotated[tuple[_Text, ...] | None, NOTE] = None
    movement: Annotated[dict[Address, float] | None, NOTE] = None
    n_steps: Annotated[Count | None, NOTE] = None


class ConfirmedScore(Spec):
    """The mean score over new seeds on the confirmation split, with its 95 % interval."""

    metric: _Text
    mean: _Score
    low: _Score
    high: _Score
    n_seeds: Count
    n_texts: Count
