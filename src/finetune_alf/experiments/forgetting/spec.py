"""The spec of a forgetting experiment: an entry of the section `forgetting` in params.yaml."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from finetune_alf.paths import Name
from finetune_alf.rates import UniformRates, repeated_in_keys, setting_text
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.spec import Count, PositiveRate, Spec

THESIS_RATES = (2e-5, 5e-5, 1e-4, 4e-4)
"""The rates of figure 2.2."""


class ForgettingSpec(Spec):
    """An encoder, a sample, a recipe, and the rates that it is fitted with.

    A rate is that of the embeddings, all layers and the head, unless the recipe's `rates.head` gives the head its own.
    The guard against high rates is lifted. After every `every_steps` steps the validation split is scored: that is an
    epoch of these fits, and `recipe.epochs` is how many there are. Each rate is fitted over `n_seeds` seeds, the same
    for all; fewer than the default have no verdict.
    """

    encoder: Name
    sample: Name
    recipe: Recipe
    rates: Annotated[tuple[PositiveRate, ...], Field(min_length=1)] = THESIS_RATES
    """The rates that are tried."""
    every_steps: Count = 100
    n_seeds: Count = MIN_SEEDS
    seed: Annotated[int, Field(ge=0)] = 1

    def recipe_at(self, rate: float) -> Recipe:
        """Return the recipe of a rate."""
        changed = {
            "rates": UniformRates(rate=rate, head=self.recipe.rates.head),
            "steps_per_epoch": self.every_steps,
            "allow_forgetting": True,
        }
        return Recipe.model_validate(self.recipe.model_copy(update=changed).model_dump())

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if faults := list(self._faults()):
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> Iterator[str]:
        recipe = self.recipe
        if repeated := repeated_in_keys(self.rates):
            yield f"rates must name each rate once, but got {setting_text(repeated[0])} again"
        if recipe.rates.kind != "uniform":
            yield f"recipe.rates must be uniform, since `rates` replaces the rate, but got {recipe.rates.kind}"
        if recipe.keep != "last":
            yield f"recipe.keep must be last, since the last step is compared, but got {recipe.keep}"
        if recipe.early_stopping is not None:
            yield "recipe.early_stopping must be left out, since all fits take the same number of steps"
        if recipe.adapter is not None:
            yield f"recipe.adapter must be left out, since it freezes the encoder, but got {recipe.adapter.kind}"
        if recipe.steps_per_epoch is not None:
            yield "recipe.steps_per_epoch must be left out, since every_steps sets it"
        if recipe.tasks is not None:
            yield "recipe.tasks must be left out, since the error is that of one task"
