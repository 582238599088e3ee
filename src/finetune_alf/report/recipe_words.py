"""Words for settings of a recipe that several parts of the page name."""

from finetune_alf.recipe import Recipe

_KEPT = {"head": "", "tail": ", the end of longer texts", "head_tail": ", beginning and end of longer texts"}


def tokens_in_words(recipe: Recipe) -> str:
    """Return how many tokens of a text are read, and which."""
    return f"{recipe.max_tokens} tokens{_KEPT[recipe.truncation]}"


def classes_in_words(recipe: Recipe) -> list[str]:
    """Return what is done for uneven classes; nothing where the recipe says nothing."""
    weighted = ["classes weighted in the loss"] if recipe.class_weights else []
    return [*weighted, *(["as many texts of each class"] if recipe.class_sampling == "balanced" else [])]
