"""Combinations of a scheme, an adapter and a curve, and the reasons against some of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from finetune_alf.experiments.schemes.rules import FIXED, FROM_HEAD, HEAD_ALONE, RULES, fields_set, parts_of
from finetune_alf.recipe import SGD, Adapter, Curve, Recipe
from finetune_alf.recipe.recipe import why_head_rests
from finetune_alf.schedules.reference import is_reference

NO_ADAPTER = "none"


@dataclass(frozen=True)
class Combination:
    """One way to fine-tune."""

    scheme: str
    adapter: Adapter | None
    curve: Curve

    @property
    def adapter_name(self) -> str:
        """The adapter's kind, `none` without one."""
        return NO_ADAPTER if self.adapter is None else self.adapter.kind

    @property
    def name(self) -> str:
        """Scheme, adapter and curve, as in `gradual/houlsby/constant`."""
        return f"{self.scheme}/{self.adapter_name}/{self.curve.kind}"


BASELINE = f"{FIXED}/{NO_ADAPTER}/constant"
"""The name of the combination that the others are compared with: plain fine-tuning."""


def unknown_parts(scheme: str) -> list[str]:
    """Return the parts of a scheme's name that are neither a scheme nor a schedule."""
    return [part for part in parts_of(scheme) if part != FIXED and part not in RULES and not is_reference(part)]


def reason_against(combination: Combination, recipe: Recipe, most_epochs: int) -> str | None:
    """Return a reason not to fit a combination of known schemes; None without one.

    `most_epochs` is the number of epochs of the sample that has the most.
    """
    return next(_reasons_against(combination, recipe, most_epochs), None)


def _reasons_against(combination: Combination, recipe: Recipe, most_epochs: int) -> Iterator[str]:
    parts = parts_of(combination.scheme)
    if FIXED in parts and len(parts) > 1:
        yield f"{FIXED} is the recipe as it is, and cannot be joined with another scheme"
    for index, part in enumerate(parts):
        for other in parts[:index]:
            if shared := set(fields_set(part)) & set(fields_set(other)):
                yield f"{other} and {part} both set the {min(shared)}"
    for head in (part for part in parts if part in (*HEAD_ALONE, FROM_HEAD)):
        if not recipe.trains_head:
            what = "trains only the head" if head in HEAD_ALONE else "trains only the head at first"
            yield f"{head} {what}, and {why_head_rests(recipe)}"
    for head in (part for part in parts if part in HEAD_ALONE):
        for gradual in (part for part in parts if fields_set(part) == ("unfreezing",)):
            yield f"{head} freezes every layer, and {gradual} has none to unfreeze"
        if combination.adapter is not None:
            yield f"{head} freezes every layer, and an adapter learns at the rate of its layer"
    if "nesterov" in parts:
        yield from _reasons_against_nesterov(recipe)
    if combination.curve.kind == "exponential" and most_epochs == 1:
        yield "the exponential curve falls from epoch to epoch, and there is only one epoch"


def _reasons_against_nesterov(recipe: Recipe) -> Iterator[str]:
    if not isinstance(recipe.optimizer, SGD):
        yield f"nesterov sets the momentum of SGD, and recipe.optimizer is {recipe.optimizer.kind}"
    elif recipe.optimizer.nesterov:
        yield f"recipe.optimizer already has Nesterov momentum, and nesterov is the same as {FIXED}"
