"""The spec of a testbed: an entry of the section `schemes` in params.yaml."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from finetune_alf.experiments.schemes.combination import Combination, reason_against, unknown_parts
from finetune_alf.experiments.schemes.rules import FEATURE_EXTRACTION, FIXED, HEAD_ONLY, RULES, parts_of
from finetune_alf.metric_names import MetricName
from finetune_alf.paths import Name
from finetune_alf.rates import setting_text
from finetune_alf.recipe import (
    ConstantCurve,
    Curve,
    HoulsbyAdapter,
    ImmediateUnfreezing,
    LoraAdapter,
    Recipe,
    SlantedTriangularCurve,
)
from finetune_alf.schedules.published import PUBLISHED_NAMES
from finetune_alf.schedules.reference import is_reference
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.spec import Count, PositiveRate, Spec

DEFAULT_SCHEMES = (FIXED, *(name for name in RULES if name != FEATURE_EXTRACTION))
CurveKind = Literal["constant", "linear", "cosine", "slanted_triangular", "exponential"]
AdapterKind = Literal["none", "houlsby", "lora"]


class NoAdapter(Spec):
    """The encoder without an adapter."""

    kind: Literal["none"] = "none"


AnyAdapter = Annotated[NoAdapter | HoulsbyAdapter | LoraAdapter, Field(discriminator="kind")]


def _by_kind(given: Any) -> Any:
    return {"kind": given} if isinstance(given, str) else given


CurveChoice = Annotated[Curve, BeforeValidator(_by_kind, json_schema_input_type=CurveKind | Curve)]
AdapterChoice = Annotated[AnyAdapter, BeforeValidator(_by_kind, json_schema_input_type=AdapterKind | AnyAdapter)]
"""A kind alone stands for that kind with its defaults."""


class CellSpec(Spec):
    """One combination of a list."""

    scheme: str
    """One scheme."""
    adapter: AdapterChoice = NoAdapter()
    """One adapter, or none."""
    curve: CurveChoice = ConstantCurve()
    """One curve."""


class SchemesSpec(Spec):
    """An encoder, some samples, and the schemes, adapters and curves that are tried on them.

    With `cells: all` every combination of the three lists is fitted that `reason_against` has no reason against; a list
    of cells replaces the three. A scheme is one of `fixed`, `nesterov`, `differential`, `decayed`, `gradual`,
    `gradual_from_head`, `head`, `feature_extraction`, or a schedule (a published name, a path that ends in .json,
    model@alias), or several of these joined by `+`.

    `recipe` is common to all: its rates, which must be `uniform`, are the ones that schemes change, and adapters learn
    at `adapter_rate` where it is given. A schedule has its own rates, also for adapters; with `stretch` one of another
    depth is stretched to the encoder's, with `rescale` its highest rate becomes the recipe's, its others in proportion,
    and its head learns as the recipe's. `epochs` overrides the recipe's epochs by sample. Each combination is fitted
    over `n_seeds` seeds, the same for all, and scored by `metric` on the split `score_on`. Fewer seeds than the default
    have no verdict.
    """

    encoder: Name
    samples: Annotated[tuple[Name, ...], Field(min_length=1)]
    schemes: Annotated[tuple[str, ...], Field(min_length=1)] = DEFAULT_SCHEMES
    """The schemes that are combined."""
    adapters: Annotated[tuple[AdapterChoice, ...], Field(min_length=1)] = (NoAdapter(), HoulsbyAdapter())
    """The adapters that are combined."""
    curves: Annotated[tuple[CurveChoice, ...], Field(min_length=1)] = (ConstantCurve(), SlantedTriangularCurve())
    """The curves that are combined."""
    cells: Literal["all"] | Annotated[tuple[CellSpec, ...], Field(min_length=1)] = "all"
    recipe: Recipe
    epochs: dict[Name, Count] = Field(default_factory=dict)
    adapter_rate: PositiveRate | None = None
    stretch: bool = False
    rescale: bool = False
    metric: MetricName = "accuracy"
    score_on: Literal["validation", "test"] = "validation"
    n_seeds: Count = MIN_SEEDS
    seed: Annotated[int, Field(ge=0)] = 1

    @property
    def combinations(self) -> tuple[Combination, ...]:
        """The combinations that are fitted, in order."""
        return tuple(combination for combination in self._listed() if self._reason(combination) is None)

    @property
    def left_out(self) -> dict[str, str]:
        """The reason against each listed combination that is not fitted, by its name."""
        return {listed.name: reason for listed in self._listed() if (reason := self._reason(listed))}

    @property
    def schedules(self) -> tuple[str, ...]:
        """The references of schedules in the schemes, each once."""
        parts = (part for combination in self.combinations for part in parts_of(combination.scheme))
        return tuple(dict.fromkeys(part for part in parts if is_reference(part)))

    def epochs_of(self, sample: str) -> int:
        """Return the number of epochs of a sample's fits."""
        return self.epochs.get(sample, self.recipe.epochs)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if faults := [*self._faults_of_recipe(), *self._faults_of_lists()]:
            raise ValueError("; ".join(dict.fromkeys(faults)))
        return self

    def _faults_of_recipe(self) -> Iterator[str]:
        recipe = self.recipe
        if recipe.rates.kind != "uniform":
            yield f"recipe.rates must be uniform, since schemes change them, but got {recipe.rates.kind}"
        elif recipe.rates.highest == 0:
            yield f"recipe.rates.rate must be above 0, but got 0; the scheme {HEAD_ONLY} trains only the head"
        if not isinstance(recipe.unfreezing, ImmediateUnfreezing):
            yield f"recipe.unfreezing must be immediate, since schemes set it, but got {recipe.unfreezing.kind}"
        if not isinstance(recipe.curve, ConstantCurve):
            yield f"recipe.curve must be constant, since the testbed lists curves, but got {recipe.curve.kind}"
        if recipe.adapter is not None:
            yield f"recipe.adapter must be left out, since the testbed lists adapters, but got {recipe.adapter.kind}"
        if recipe.tasks is not None:
            yield "recipe.tasks must be left out, since every fit of a testbed has one task"

    def _faults_of_lists(self) -> Iterator[str]:
        if unknown := [name for name in self.epochs if name not in self.samples]:
            yield f"epochs must be of samples of this testbed, but got {', '.join(unknown)}"
        listed = self._listed()
        if self.adapter_rate is not None and not any(combination.adapter for combination in listed):
            yield f"adapter_rate must be left out where no adapter is listed, but got {setting_text(self.adapter_rate)}"
        if unknown := [combination.scheme for combination in listed if unknown_parts(combination.scheme)]:
            yield (
                f"schemes must be of {', '.join((FIXED, *RULES))}, several of them joined by +, or schedules "
                f"({', '.join(PUBLISHED_NAMES)}, FILE.json, model@alias), but got {', '.join(dict.fromkeys(unknown))}"
            )
            return
        names = [combination.name for combination in listed]
        if repeated := [name for index, name in enumerate(names) if name in names[:index]]:
            lists = "schemes, adapters and curves" if self.cells == "all" else "cells"
            yield f"{lists} must give each combination once, but got {repeated[0]} again"
        reasons = self.left_out
        if reasons and self.cells != "all":
            faults = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
            yield f"cells must be combinations that can be fitted, but got {faults}"
        elif len(reasons) == len(listed):
            yield f"schemes, adapters and curves must combine, but got {names[0]}: {reasons[names[0]]}"

    def _listed(self) -> Sequence[Combination]:
        if self.cells != "all":
            return [Combination(cell.scheme, _adapter(cell.adapter), cell.curve) for cell in self.cells]
        return [
            Combination(scheme, _adapter(adapter), curve)
            for scheme, adapter, curve in product(self.schemes, self.adapters, self.curves)
        ]

    def _reason(self, combination: Combination) -> str | None:
        return reason_against(combination, self.recipe, max(map(self.epochs_of, self.samples)))


def _adapter(choice: NoAdapter | HoulsbyAdapter | LoraAdapter) -> HoulsbyAdapter | LoraAdapter | None:
    return None if isinstance(choice, NoAdapter) else choice
