"""What is asked of a testbed, as it stands in params.yaml under `schemes.<name>`."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from finetune_alf.experiments.schemes.combination import Combination, reason_against, unknown_parts
from finetune_alf.experiments.schemes.rules import FIXED, HEAD_ONLY, RULES, is_schedule, parts_of
from finetune_alf.metrics import MetricName
from finetune_alf.paths import Name
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
from finetune_alf.spec import Spec

Count = Annotated[int, Field(ge=1)]
CurveKind = Literal["constant", "linear", "cosine", "slanted_triangular", "exponential"]
AdapterKind = Literal["none", "houlsby", "lora"]


class NoAdapter(Spec):
    """The bare encoder."""

    kind: Literal["none"] = "none"


AnyAdapter = Annotated[NoAdapter | HoulsbyAdapter | LoraAdapter, Field(discriminator="kind")]


def _by_kind(given: Any) -> Any:
    return {"kind": given} if isinstance(given, str) else given


CurveChoice = Annotated[Curve, BeforeValidator(_by_kind, json_schema_input_type=CurveKind | Curve)]
AdapterChoice = Annotated[AnyAdapter, BeforeValidator(_by_kind, json_schema_input_type=AdapterKind | AnyAdapter)]
"""A kind alone stands for that kind with its defaults."""


class CellSpec(Spec):
    """One combination, where they are listed one by one."""

    scheme: str
    adapter: AdapterChoice = NoAdapter()
    curve: CurveChoice = ConstantCurve()


class SchemesSpec(Spec):
    """An encoder, some samples, and the schemes, adapters and curves that are tried on them.

    With `cells: all` every combination of the three lists that makes sense is fitted; a list of cells takes their
    place. A scheme is one of `fixed`, `nesterov`, `differential`, `decayed`, `gradual`, `head`, or a schedule (a
    published name, a path that ends in .json, model@alias), or several of these joined by `+`.

    `recipe` is what all have in common: its rates, which must be `uniform`, are those of every scheme, and adapters
    learn at `adapter_rate` where one is given. A schedule brings rates of its own, for adapters too. `epochs` gives
    samples another number than the recipe's. Each combination is fitted over `n_seeds` seeds, the same for all, and
    scored by `metric` on the validation split.
    """

    encoder: Name
    samples: Annotated[tuple[Name, ...], Field(min_length=1)]
    schemes: Annotated[tuple[str, ...], Field(min_length=1)] = (FIXED, *RULES)
    adapters: Annotated[tuple[AdapterChoice, ...], Field(min_length=1)] = (NoAdapter(), HoulsbyAdapter())
    curves: Annotated[tuple[CurveChoice, ...], Field(min_length=1)] = (ConstantCurve(), SlantedTriangularCurve())
    cells: Literal["all"] | Annotated[tuple[CellSpec, ...], Field(min_length=1)] = "all"
    recipe: Recipe
    epochs: dict[Name, Count] = Field(default_factory=dict)
    adapter_rate: Annotated[float, Field(gt=0)] | None = None
    metric: MetricName = "accuracy"
    n_seeds: Count = 1
    n_resamples: Annotated[int, Field(ge=100)] = 2000
    seed: Annotated[int, Field(ge=0)] = 1

    @property
    def combinations(self) -> tuple[Combination, ...]:
        """The combinations that are fitted, in order."""
        return tuple(one for one in self._asked() if self._reason(one) is None)

    @property
    def left_out(self) -> dict[str, str]:
        """Why each combination of the lists that is not fitted makes no sense, by its name."""
        return {one.name: reason for one in self._asked() if (reason := self._reason(one))}

    @property
    def schedules(self) -> tuple[str, ...]:
        """The schedules that schemes refer to, each once."""
        parts = (part for one in self.combinations for part in parts_of(one.scheme))
        return tuple(dict.fromkeys(part for part in parts if is_schedule(part)))

    def epochs_of(self, sample: str) -> int:
        """Return how many epochs a sample's fits have."""
        return self.epochs.get(sample, self.recipe.epochs)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if faults := [*self._faults_of_recipe(), *self._faults_of_lists()]:
            raise ValueError("; ".join(dict.fromkeys(faults)))
        return self

    def _faults_of_recipe(self) -> Iterator[str]:
        recipe = self.recipe
        if recipe.rates.kind != "uniform":
            yield f"recipe.rates must be uniform, since the schemes make theirs of it, but got {recipe.rates.kind}"
        elif recipe.rates.highest == 0:
            yield f"recipe.rates.rate must be above 0, but got 0; the scheme {HEAD_ONLY} trains the head alone"
        if not isinstance(recipe.unfreezing, ImmediateUnfreezing):
            yield f"recipe.unfreezing must be immediate, since schemes set it, but got {recipe.unfreezing.kind}"
        if not isinstance(recipe.curve, ConstantCurve):
            yield f"recipe.curve must be constant, since curves are listed beside it, but got {recipe.curve.kind}"
        if recipe.adapter is not None:
            yield f"recipe.adapter must be left out, since adapters are listed beside it, but got {recipe.adapter.kind}"
        if recipe.tasks is not None:
            yield "recipe.tasks must be left out, since each fit here has one task"

    def _faults_of_lists(self) -> Iterator[str]:
        if strangers := [name for name in self.epochs if name not in self.samples]:
            yield f"epochs must be of samples of this testbed, but got {', '.join(strangers)}"
        asked = self._asked()
        if self.adapter_rate is not None and not any(one.adapter for one in asked):
            yield f"adapter_rate must go with an adapter, but none is listed beside its {self.adapter_rate:g}"
        if unknown := [one.scheme for one in asked if unknown_parts(one.scheme)]:
            yield (
                f"schemes must be of {', '.join((FIXED, *RULES))}, several of them joined by +, or schedules "
                f"({', '.join(PUBLISHED_NAMES)}, FILE.json, model@alias), but got {', '.join(dict.fromkeys(unknown))}"
            )
            return
        names = [one.name for one in asked]
        if twice := [name for index, name in enumerate(names) if name in names[:index]]:
            yield f"each combination must be named once, but {twice[0]} is named again"
        reasons = self.left_out
        if reasons and self.cells != "all":
            told = "; ".join(f"{name} does not: {reason}" for name, reason in reasons.items())
            yield f"cells must make sense, but {told}"
        elif len(reasons) == len(asked):
            yield f"schemes, adapters and curves must leave something to do, but {names[0]}: {reasons[names[0]]}"

    def _asked(self) -> Sequence[Combination]:
        if self.cells != "all":
            return [Combination(one.scheme, _adapter(one.adapter), one.curve) for one in self.cells]
        return [
            Combination(scheme, _adapter(adapter), curve)
            for scheme, adapter, curve in product(self.schemes, self.adapters, self.curves)
        ]

    def _reason(self, combination: Combination) -> str | None:
        return reason_against(combination, self.recipe, max(map(self.epochs_of, self.samples)))


def _adapter(choice: NoAdapter | HoulsbyAdapter | LoraAdapter) -> HoulsbyAdapter | LoraAdapter | None:
    return None if isinstance(choice, NoAdapter) else choice
