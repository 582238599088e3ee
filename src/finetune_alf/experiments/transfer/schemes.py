"""The schemes that a transfer compares, as recipes that differ in their rates."""

from collections.abc import Iterable, Mapping

from finetune_alf.experiments.transfer.spec import SchemeName
from finetune_alf.rates import HEAD, DecayedRates, FrozenBelow
from finetune_alf.recipe import Recipe
from finetune_alf.schedules.schedule import Schedule


def scheme_recipes(
    schemes: Iterable[SchemeName], baseline: Recipe, schedules: Mapping[str, Schedule], n_layers: int, decay: float
) -> dict[SchemeName, Recipe]:
    """Return each scheme's recipe at the encoder's depth.

    `baseline` is the study's own recipe, with the rates of plain fine-tuning. Feature extraction trains only the head,
    at the baseline's head rate, on features computed once, without dropout in the encoder. Layer-wise decay starts from
    the baseline's highest rate.
    """
    head, top = baseline.rates.at(n_layers)[HEAD], baseline.rates.highest

    def recipe(scheme: SchemeName) -> Recipe:
        match scheme:
            case "feature_extraction":
                frozen = FrozenBelow(n_frozen="all", rate=top, head=head).at(n_layers)
                return baseline.with_rates(frozen).model_copy(update={"frozen_dropout": "off"})
            case "baseline":
                return baseline.with_rates(baseline.rates.at(n_layers))
            case "decayed":
                return baseline.with_rates(DecayedRates(rate=top, decay=decay, head=head).at(n_layers))
            case _:
                return schedules[scheme].recipe.with_rates(schedules[scheme].for_depth(n_layers))

    return {scheme: recipe(scheme) for scheme in schemes}
