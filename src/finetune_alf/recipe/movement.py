"""What the rates of a recipe do to the weights: frozen, barely moves, learns."""

from collections.abc import Mapping

from finetune_alf.rates import TYPICAL_SIZE, Address, Movement, is_adapter, largest_movement
from finetune_alf.recipe.optimizer import AdamW
from finetune_alf.recipe.recipe import Recipe


def movements(
    recipe: Recipe,
    rates: Mapping[Address, float],
    n_steps: int | None,
    sizes: Mapping[Address, float] | None = None,
    measured: Mapping[Address, float] | None = None,
) -> dict[Address, Movement]:
    """Return what each rate does over a number of steps.

    `sizes` are the mean sizes of the weights at each address, TYPICAL_SIZE where they are not known. The largest
    movement is known beforehand only under AdamW, where a step moves a weight by the rate at most, and without
    adapters, which start at almost 0.
    """
    is_bounded = isinstance(recipe.optimizer, AdamW) and recipe.adapter is None

    def largest(address: Address, rate: float) -> float | None:
        size = (sizes or {}).get(address) or TYPICAL_SIZE
        if n_steps is None or not is_bounded or is_adapter(address):
            return None
        return largest_movement(rate, n_steps, size)

    return {
        address: Movement(rate, largest(address, rate), (measured or {}).get(address))
        for address, rate in rates.items()
    }
