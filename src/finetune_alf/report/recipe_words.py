"""Words for settings of a recipe that several parts of the page name."""

from collections.abc import Iterator

from finetune_alf.recipe import Recipe
from finetune_alf.report.numbers import counted
from finetune_alf.schedules.description import written
from finetune_alf.spec import Spec

_KEPT = {"head": "", "tail": ", the end of longer texts", "head_tail": ", beginning and end of longer texts"}

USUAL_CLIP = Recipe.model_fields["clip"].default
"""The norm at which gradients are clipped where a recipe says nothing."""


def tokens_in_words(recipe: Recipe) -> str:
    """Return how many tokens of a text are read, and which."""
    return f"{recipe.max_tokens} tokens{_KEPT[recipe.truncation]}"


def classes_in_words(recipe: Recipe) -> list[str]:
    """Return what is done for uneven classes; nothing where the recipe says nothing."""
    weighted = ["classes weighted in the loss"] if recipe.class_weights else []
    return [*weighted, *(["as many texts of each class"] if recipe.class_sampling == "balanced" else [])]


def epochs_in_words(recipe: Recipe) -> str:
    """Return the number of epochs, and their length where that is not once over the texts."""
    steps = f" of {counted(recipe.steps_per_epoch, 'step')}" if recipe.steps_per_epoch else ""
    return f"{counted(recipe.epochs, 'epoch')}{steps}"


def kind_in_words(part: Spec, words: str) -> str:
    """Return the words for a part of a recipe, such as its curve, with those of its settings that are not usual."""
    others = part.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
    settings = ", ".join(f"{key} {written(value)}" for key, value in others.items())
    return f"{words} ({settings})" if settings else words


def rest_in_words(recipe: Recipe) -> Iterator[str]:
    """Yield what trains in another way than usual: pooling, objective, adapters, clipping and dropout."""
    if recipe.pooling == "mean":
        yield "their mean to the head"
    if recipe.objective:
        yield f"contrastive on {counted(recipe.objective.n_pairs, 'pair')} for each text"
    if recipe.pooler == "frozen":
        yield "the pre-trained pooler frozen"
    if recipe.adapter:
        yield f"{kind_in_words(recipe.adapter, f'{recipe.adapter.kind} adapters')} in a frozen encoder"
    if recipe.clip != USUAL_CLIP:
        yield "gradients not clipped" if recipe.clip is None else f"gradients clipped at {written(recipe.clip)}"
    if recipe.frozen_dropout == "off":
        yield "no dropout in frozen layers"


def course_in_words(recipe: Recipe) -> Iterator[str]:
    """Yield what changes from epoch to epoch, and which of them is kept, where it is not usual."""
    if recipe.unfreezing.kind != "immediate":
        yield kind_in_words(recipe.unfreezing, f"{recipe.unfreezing.kind} unfreezing")
    if recipe.early_stopping:
        yield f"early stopping after {counted(recipe.early_stopping.patience, 'epoch')}"
    if recipe.keep == "best":
        yield "best epoch kept"
