"""The spec of a decay grid: an entry of the section `decay` in params.yaml."""

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Self

from pydantic import Field, model_validator

from finetune_alf.paths import Name
from finetune_alf.rates import DecayedRates, repeated_in_keys, setting_text
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.recipe import forgetting_message
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.spec import Count, PositiveRate, Spec

THESIS_RATES = (2.5e-5, 2.0e-5)
THESIS_FACTORS = (1.0, 0.95, 0.9, 0.85)
"""The grid of figure 2.1."""


class DecaySpec(Spec):
    """An encoder, a sample, a recipe, and the rates and factors of the grid.

    A rate is that of the top layer, and of the head unless the recipe's `rates.head` gives the head its own; each layer
    below has `factor` times the rate above it, the embeddings one factor less than layer 0. Each pair is fitted over
    `n_seeds` seeds, the same for all, and scored on the test split; fewer seeds than the default have no verdict.
    """

    encoder: Name
    sample: Name
    recipe: Recipe
    rates: Annotated[tuple[PositiveRate, ...], Field(min_length=1)] = THESIS_RATES
    """The rates of the top layer that are tried."""
    factors: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)] = THESIS_FACTORS
    """The factors from each layer to the one below."""
    n_seeds: Count = MIN_SEEDS
    seed: Annotated[int, Field(ge=0)] = 1

    @property
    def grid(self) -> tuple[tuple[float, float], ...]:
        """The pairs of a rate and a factor, in order."""
        return tuple(product(self.rates, self.factors))

    def recipe_at(self, rate: float, factor: float) -> Recipe:
        """Return the recipe of a pair."""
        rates = DecayedRates(rate=rate, decay=factor, head=self.recipe.rates.head)
        return Recipe.model_validate(self.recipe.model_copy(update={"rates": rates}).model_dump())

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        recipe = self.recipe
        for what, values in (("rates", self.rates), ("factors", self.factors)):
            if repeated := repeated_in_keys(values):
                yield f"{what} must name each once, but got {setting_text(repeated[0])} again"
        if recipe.rates.kind != "uniform":
            yield f"recipe.rates must be uniform, since the grid replaces the rate, but got {recipe.rates.kind}"
        if recipe.may_forget_at(max(self.rates)):
            yield forgetting_message("rates", max(self.rates))
        if recipe.tasks is not None:
            yield "recipe.tasks must be left out, since the error is that of one task"
