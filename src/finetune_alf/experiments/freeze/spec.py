"""The spec of a freeze sweep: an entry `freeze.<name>` of params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finetune_alf.metric_names import MetricName
from finetune_alf.paths import Name
from finetune_alf.rates import repeated_in_keys, setting_text
from finetune_alf.recipe import ImmediateUnfreezing, Recipe
from finetune_alf.recipe.recipe import forgetting_message
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.spec import Count, PositiveRate, Spec

Rates = Annotated[tuple[PositiveRate, ...], Field(min_length=1)]
FrozenCount = Literal["none", "all"] | Annotated[int, Field(ge=0)]
Metrics = Annotated[tuple[MetricName, ...], Field(min_length=1)]

NO_HEAD = "since under recipe.objective no head is trained"

ELSA_RATES = (1e-5, 2e-5, 3e-5, 4e-5, 5e-5)
"""The rates that Lee et al. 2019 search, section 3.2."""


class FreezeSpec(Spec):
    """An encoder, some samples, and how many layers are frozen.

    `rates` are tried on the full model, over the first `n_search_seeds` fit seeds; the one with the best validation
    score is used at all levels, as in section 3.2 of Lee et al. 2019. The rates of the recipe must be `uniform`: the
    rate of their head is used, the other one is replaced by those of `rates`. `n_frozen` lists how many layers are
    frozen together with the embeddings: a number, or `all`. `half-up`, as in the paper, is half of the layers and each
    number above. The full model, `none`, is always fitted. `metrics` names each sample's metrics, the first of which
    selects the rate; without an entry they are those of its task. `keep_frac` is the fraction of the full model's score
    that an operating point keeps. Fewer `n_seeds` than the default have no verdict.
    """

    encoder: Name
    samples: Annotated[tuple[Name, ...], Field(min_length=1)]
    metrics: dict[Name, Metrics] = Field(default_factory=dict)
    recipe: Recipe
    rates: Rates = ELSA_RATES
    n_frozen: Literal["half-up"] | Annotated[tuple[FrozenCount, ...], Field(min_length=1)] = "half-up"
    n_seeds: Count = MIN_SEEDS
    n_search_seeds: Count = 1
    keep_frac: Annotated[float, Field(gt=0, le=1)] = 0.9
    seed: Annotated[int, Field(ge=0)] = 1

    @property
    def _n_frozen_text(self) -> str:
        return self.n_frozen if isinstance(self.n_frozen, str) else ", ".join(map(str, self.n_frozen))

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if unknown := [name for name in self.metrics if name not in self.samples]:
            raise ValueError(f"metrics must be of samples of this sweep, but got {', '.join(unknown)}")
        if repeated := [name for name, metrics in self.metrics.items() if len(set(metrics)) < len(metrics)]:
            raise ValueError(f"metrics must be named once each, but got one twice for {', '.join(repeated)}")
        if repeated_in_keys(self.rates):
            raise ValueError(f"rates must differ, but got {', '.join(map(setting_text, self.rates))}")
        if self.n_search_seeds > self.n_seeds:
            raise ValueError(f"n_search_seeds must be at most n_seeds, {self.n_seeds}, but got {self.n_search_seeds}")
        return self

    @model_validator(mode="after")
    def _recipe_can_be_frozen(self) -> Self:
        if self.recipe.rates.kind != "uniform":
            raise ValueError(f"recipe.rates must be uniform in a freeze sweep, but got {self.recipe.rates.kind}")
        if self.recipe.rates.head == 0:
            raise ValueError("recipe.rates.head must be above 0, since with all layers frozen only the head is trained")
        freezes_all = self.n_frozen == "half-up" or "all" in self.n_frozen
        if freezes_all and not self.recipe.trains_head:
            raise ValueError(f"n_frozen must leave a layer that learns, {NO_HEAD}, but got {self._n_frozen_text}")
        if not isinstance(self.recipe.unfreezing, ImmediateUnfreezing):
            raise ValueError(
                f"recipe.unfreezing must be immediate in a freeze sweep, but got {self.recipe.unfreezing.kind}"
            )
        for part in ("adapter", "tasks"):
            if getattr(self.recipe, part) is not None:
                raise ValueError(f"recipe.{part} must be left out of a freeze sweep")
        if self.recipe.may_forget_at(max(self.rates)):
            raise ValueError(forgetting_message("rates", max(self.rates)))
        return self
