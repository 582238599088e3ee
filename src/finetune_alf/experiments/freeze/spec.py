"""What is asked of a freeze sweep, as it stands in params.yaml under `freeze.<name>`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finetune_alf.metrics import MetricName
from finetune_alf.paths import Name
from finetune_alf.recipe import ImmediateUnfreezing, Recipe
from finetune_alf.recipe.recipe import forgetting_message
from finetune_alf.spec import Spec

Count = Annotated[int, Field(ge=1)]
Rates = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
Frozen = Literal["none", "all"] | Annotated[int, Field(ge=0)]
Metrics = Annotated[tuple[MetricName, ...], Field(min_length=1)]

ELSA_RATES = (1e-5, 2e-5, 3e-5, 4e-5, 5e-5)
"""The rates that Lee et al. search, section 3.2."""


class FreezeSpec(Spec):
    """An encoder, some samples, and how much of the encoder is frozen while the rest learns.

    `rates` are tried on the full model, over the first `n_search_seeds` fit seeds; the one that scores best on the
    validation split is kept for every level, as in section 3.2 of the paper. The recipe's own rates must be `uniform`:
    their head's rate stays, their other one gives way to those searched. `n_frozen` lists how many layers stand still
    together with the embeddings; `all` is the encoder's depth, and `half-up` the paper's: half of them, and each number
    from there up. The full model, `none`, is always fitted. `metrics` names each sample's metrics, the first of which
    is the one that is searched by; without an entry they are those of its task. `keep` is the part of the full model's
    score that an operating point keeps.
    """

    encoder: Name
    samples: Annotated[tuple[Name, ...], Field(min_length=1)]
    metrics: dict[Name, Metrics] = Field(default_factory=dict)
    recipe: Recipe
    rates: Rates = ELSA_RATES
    n_frozen: Literal["half-up"] | Annotated[tuple[Frozen, ...], Field(min_length=1)] = "half-up"
    n_seeds: Count = 5
    n_search_seeds: Count = 1
    keep: Annotated[float, Field(gt=0, le=1)] = 0.9
    n_resamples: Annotated[int, Field(ge=100)] = 1000
    seed: Annotated[int, Field(ge=0)] = 1

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if strangers := [name for name in self.metrics if name not in self.samples]:
            raise ValueError(f"metrics must be of samples of this sweep, but got {', '.join(strangers)}")
        if repeated := [name for name, own in self.metrics.items() if len(set(own)) < len(own)]:
            raise ValueError(f"metrics must be named once each, but got one twice for {', '.join(repeated)}")
        if len({f"{rate:g}" for rate in self.rates}) < len(self.rates):  # a cell's name has its rate in this form
            raise ValueError(f"rates must differ, but got {', '.join(f'{rate:g}' for rate in self.rates)}")
        if self.n_search_seeds > self.n_seeds:
            raise ValueError(f"n_search_seeds must be at most n_seeds, {self.n_seeds}, but got {self.n_search_seeds}")
        return self

    @model_validator(mode="after")
    def _recipe_can_be_frozen(self) -> Self:
        if self.recipe.rates.kind != "uniform":
            raise ValueError(f"recipe.rates must be uniform, since the sweep freezes, but got {self.recipe.rates.kind}")
        if self.recipe.rates.head == 0:
            raise ValueError("recipe.rates.head must be above 0, since with all layers frozen only the head learns")
        if not isinstance(self.recipe.unfreezing, ImmediateUnfreezing):
            raise ValueError(
                f"recipe.unfreezing must be immediate, since the sweep freezes, but got {self.recipe.unfreezing.kind}"
            )
        for part in ("adapter", "tasks"):
            if getattr(self.recipe, part) is not None:
                raise ValueError(f"recipe.{part} must be left out of a sweep, which opens an encoder's own layers")
        if self.recipe.may_forget_at(max(self.rates)):
            raise ValueError(forgetting_message("rates", max(self.rates)))
        return self
