"""What must agree between a list of schemes and other sections of params.yaml."""

import json
from collections.abc import Iterator, Sequence

from pydantic import TypeAdapter, ValidationError

from finetune_alf.experiments.scheme_spec import (
    AnyScheme,
    FeatureExtractionScheme,
    ProbeScheme,
    Schemes,
    TfidfScheme,
    UniformScheme,
    encoder_rate,
)
from finetune_alf.metric_names import LABELS
from finetune_alf.params.checks import Disagreement, RawParams
from finetune_alf.params.document import KeyPath
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.recipe import forgetting_message, why_head_rests

COMPARED_BY_NAME = ("baseline", "alf-1", "uniform")
"""Kinds of schemes that others are compared with by these names, as in `register/recommend.py`, which needs NumPy."""

_SCHEMES: TypeAdapter[tuple[AnyScheme, ...]] = TypeAdapter(Schemes)


def contrastive_on_scores(raw: RawParams, path: KeyPath, schemes: object, sample: str) -> Iterator[Disagreement]:
    """Yield a sample whose labels are no classes, where a scheme draws pairs of equal classes."""
    kinds = (each.get("kind") if isinstance(each, dict) else each for each in _listed(schemes))
    kind = raw.problem_type(sample)
    if kind not in (None, "classification") and "contrastive" in kinds:
        yield path, f"must have classes for the scheme contrastive, but {sample} has {LABELS[kind]}"


def refused_by_recipe(
    raw: RawParams, schemes: object, study: str, default: Sequence[AnyScheme]
) -> Iterator[Disagreement]:
    """Yield what the recipe of a study does not allow of `transfer.schemes`: rates, and a head alone that rests.

    Without `schemes` they are the default ones.
    """
    recipe = recipe_of_study(raw, study)
    if recipe is None:
        return
    path: KeyPath = ("transfer", "schemes")
    for index, scheme in enumerate(default if schemes is None else checked_schemes(schemes)):
        if (rate := encoder_rate(scheme)) and recipe.may_forget_at(rate):
            yield (*path, index), forgetting_message(f"the rate, for study {study},", rate)
        if resting := resting_head(scheme, recipe):
            yield path if schemes is None else (*path, index), f"must not have {resting} in study {study}"


def resting_head(scheme: AnyScheme, recipe: Recipe) -> str | None:
    """Return the name of a scheme by which the head alone learns, and why it does not by this recipe; else None."""
    if not isinstance(scheme, FeatureExtractionScheme) or recipe.trains_head:
        return None
    return f"{scheme.label}, by which the head alone learns, since {why_head_rests(recipe)}"


def recipe_of_study(raw: RawParams, study: str) -> Recipe | None:
    """Return the recipe of a study; None for one with a fault, which its own check finds."""
    spec = raw.section("studies").get(study)
    try:
        return Recipe.model_validate_json(_json(spec.get("recipe") if isinstance(spec, dict) else None))
    except ValidationError:
        return None


def renamed(schemes: object) -> Iterator[Disagreement]:
    """Yield the schemes of a transfer that are compared with others by their names, and have another one alone.

    And the reverse: a single rate that nothing searched, by the name of the best one.
    """
    found = checked_schemes(schemes)
    labels = {scheme.label for scheme in found}
    for index, scheme in enumerate(found):
        has_own_rate = isinstance(scheme, UniformScheme) and scheme.rate is not None
        if has_own_rate and scheme.label == scheme.kind:
            message = f"must be given, since {scheme.kind} is the best single rate that registration found, but is"
            yield ("transfer", "schemes", index, "name"), f"{message} missing where the scheme has a rate of its own"
        if scheme.kind in COMPARED_BY_NAME and scheme.kind not in labels and not has_own_rate:
            message = f"must be left out, since others are compared with {scheme.kind} by its name, but got"
            yield ("transfer", "schemes", index, "name"), f"{message} {scheme.label}"


def all_linear(schemes: object) -> bool:
    """Return whether all schemes of a list are linear models, which take no validation texts."""
    found = checked_schemes(schemes)
    return bool(found) and all(isinstance(scheme, ProbeScheme | TfidfScheme) for scheme in found)


def checked_schemes(schemes: object) -> tuple[AnyScheme, ...]:
    """Return a list of schemes as read; none where one of them has a fault, which its own check finds."""
    try:
        return _SCHEMES.validate_json(_json(schemes))
    except ValidationError:
        return ()


def _json(value: object) -> str:
    return json.dumps(value, default=str)


def _listed(schemes: object) -> list[object]:
    return schemes if isinstance(schemes, list) else []
