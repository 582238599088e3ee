"""The scheme table: what each kind of scheme trains, at the depth of an encoder."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from finetune_alf.errors import InputError
from finetune_alf.experiments.scheme_spec import (
    AnyScheme,
    BaselineScheme,
    ContrastiveScheme,
    DecayedScheme,
    FeatureExtractionScheme,
    HoulsbyScheme,
    LoraScheme,
    ProbeScheme,
    RegisteredScheme,
    ScheduleScheme,
    TfidfScheme,
    UniformScheme,
)
from finetune_alf.rates import HEAD, DecayedRates, FrozenBelow, RatesPolicy, UniformRates
from finetune_alf.recipe import (
    AnyRecipe,
    Contrastive,
    HoulsbyAdapter,
    ImmediateUnfreezing,
    LinearCurve,
    LoraAdapter,
    ProbeRecipe,
    Recipe,
    TfidfRecipe,
)
from finetune_alf.recipe.recipe import NOTHING_LEARNS, forgetting_message
from finetune_alf.schedules.schedule import Schedule


@dataclass(frozen=True)
class SchemeInputs:
    """What schemes are made from.

    `baseline` is the study's own recipe, with the rates of plain fine-tuning. `schedules` are by alias, or by reference
    for those that the study did not register. `single_rate` is the best single rate that registration found.
    """

    baseline: Recipe
    n_layers: int
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    single_rate: float | None = None

    @property
    def head(self) -> float:
        """The baseline's rate for the head."""
        return self.baseline.rates.at(self.n_layers)[HEAD]

    @property
    def highest(self) -> float:
        """The baseline's highest rate for embeddings and layers."""
        return self.baseline.rates.highest

    def with_rates(self, rates: RatesPolicy) -> Recipe:
        """Return the baseline with other rates."""
        return self.baseline.with_rates(rates.at(self.n_layers))


def unregistered(schemes: Iterable[AnyScheme], schedules: Container[str]) -> list[str]:
    """Return the aliases among the schemes that are not among those of a study's schedules."""
    aliases = (scheme.kind for scheme in schemes if isinstance(scheme, RegisteredScheme))
    return [alias for alias in aliases if alias not in schedules]


def scheme_recipes(schemes: Iterable[AnyScheme], inputs: SchemeInputs) -> dict[str, AnyRecipe]:
    """Return each scheme's recipe by its name in results; one whose schedule was not registered has none.

    Raises ScheduleError for a schedule of another depth that is not stretched, and InputError for a rate that the
    baseline does not allow, a single rate that was not searched, or a scheme by which nothing learns.
    """
    listed = tuple(schemes)
    left_out = unregistered(listed, inputs.schedules)
    fitted = (scheme for scheme in listed if scheme.kind not in left_out)
    recipes: dict[str, AnyRecipe] = {scheme.label: SCHEME_TABLE[type(scheme)](scheme, inputs) for scheme in fitted}
    for label, recipe in recipes.items():
        if isinstance(recipe, Recipe) and not recipe.learns(recipe.rates.at(inputs.n_layers)):
            raise InputError(f"scheme {label}: {NOTHING_LEARNS}. Give the head a rate, or leave the scheme out.")
    return recipes


def _feature_extraction(scheme: FeatureExtractionScheme, given: SchemeInputs) -> Recipe:
    frozen = given.with_rates(FrozenBelow(n_frozen="all", rate=given.highest, head=given.head))
    return frozen.model_copy(update={"frozen_dropout": "off", "pooler": "frozen"})


def _decayed(scheme: DecayedScheme, given: SchemeInputs) -> Recipe:
    rate = given.highest if scheme.rate is None else _allowed(scheme, scheme.rate, given)
    return given.with_rates(DecayedRates(rate=rate, decay=scheme.factor, head=given.head))


def _uniform(scheme: UniformScheme, given: SchemeInputs) -> Recipe:
    rate = given.single_rate if scheme.rate is None else _allowed(scheme, scheme.rate, given)
    if rate is None:
        raise InputError(
            f"scheme {scheme.label}: the registration of this study searched no single rate. "
            "Run the register stage again, or give the scheme a rate."
        )
    return given.with_rates(UniformRates(rate=rate, head=given.head))


def _adapter(scheme: LoraScheme | HoulsbyScheme, given: SchemeInputs, adapter: LoraAdapter | HoulsbyAdapter) -> Recipe:
    recipe = given.with_rates(UniformRates(rate=scheme.rate, head=given.head))
    return recipe.model_copy(update={"adapter": adapter})


def _lora(scheme: LoraScheme, given: SchemeInputs) -> Recipe:
    return _adapter(scheme, given, LoraAdapter(rank=scheme.rank, alpha=scheme.alpha))


def _houlsby(scheme: HoulsbyScheme, given: SchemeInputs) -> Recipe:
    return _adapter(scheme, given, HoulsbyAdapter(width=scheme.width, activation=scheme.activation))


def _contrastive(scheme: ContrastiveScheme, given: SchemeInputs) -> Recipe:
    rate = _allowed(scheme, scheme.rate, given)
    changes = {
        "epochs": scheme.epochs,
        "batch": scheme.batch,
        "curve": LinearCurve(warmup_frac=0.1),
        "steps_per_epoch": None,
        "unfreezing": ImmediateUnfreezing(),
        "early_stopping": None,
        "keep": "last",
        "pooling": "mean",
        "objective": Contrastive(n_pairs=scheme.n_pairs, positive_frac=scheme.positive_frac),
    }
    return given.with_rates(UniformRates(rate=rate, head=0.0)).model_copy(update=changes)


def _registered(scheme: RegisteredScheme, given: SchemeInputs) -> Recipe:
    schedule = given.schedules[scheme.kind]
    return schedule.recipe.with_rates(schedule.for_depth(given.n_layers))


def _schedule(scheme: ScheduleScheme, given: SchemeInputs) -> Recipe:
    return given.schedules[scheme.of].applied_to(given.baseline, given.n_layers, stretch=scheme.stretch)


def _probe(scheme: ProbeScheme, given: SchemeInputs) -> ProbeRecipe:
    return ProbeRecipe(
        pooling=scheme.pooling,
        max_tokens=given.baseline.max_tokens,
        truncation=given.baseline.truncation,
        n_folds=scheme.n_folds,
        class_weights=given.baseline.linear_class_weights,
    )


def _tfidf(scheme: TfidfScheme, given: SchemeInputs) -> TfidfRecipe:
    weights = given.baseline.linear_class_weights
    return TfidfRecipe(longest_ngram=scheme.longest_ngram, n_folds=scheme.n_folds, class_weights=weights)


SCHEME_TABLE: Mapping[type[AnyScheme], Callable[[Any, SchemeInputs], AnyRecipe]] = {
    BaselineScheme: lambda scheme, given: given.with_rates(given.baseline.rates),
    FeatureExtractionScheme: _feature_extraction,
    RegisteredScheme: _registered,
    DecayedScheme: _decayed,
    UniformScheme: _uniform,
    ProbeScheme: _probe,
    TfidfScheme: _tfidf,
    LoraScheme: _lora,
    HoulsbyScheme: _houlsby,
    ContrastiveScheme: _contrastive,
    ScheduleScheme: _schedule,
}
"""Spec -> the recipe that a scheme of it is."""


def _allowed(scheme: AnyScheme, rate: float, given: SchemeInputs) -> float:
    """Return the rate; InputError where the baseline's recipe does not allow it."""
    if given.baseline.may_forget_at(rate):
        raise InputError(forgetting_message(f"scheme {scheme.label}: rate", rate))
    return rate
