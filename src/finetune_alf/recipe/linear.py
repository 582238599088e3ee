"""Recipes without fine-tuning: a linear model on the frozen encoder's features, or on TF-IDF."""

from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.rates import Address
from finetune_alf.recipe.classes import ClassWeights
from finetune_alf.recipe.recipe import Pooling, Recipe, Truncation
from finetune_alf.spec import ADDED_LATER, Count, Spec

Folds = Annotated[int, Field(ge=2)]
"""The folds of a cross-validation."""


class _LinearRecipe(Spec):
    """Logistic regression for classes, ridge regression for scores.

    Its strength is chosen by cross-validation on the training split, in `n_folds` folds. `class_weights` are those of a
    fine-tuning recipe.
    """

    n_folds: Folds = 5
    class_weights: ClassWeights | None = None

    @property
    def loss_weights(self) -> ClassWeights | None:
        """The class weights of the loss."""
        return self.class_weights

    def rates_at(self, n_layers: int) -> dict[Address, float]:
        """Return no rates: nothing is fine-tuned."""
        return {}


class ProbeRecipe(_LinearRecipe):
    """A linear model on the encoder's top layer, as pre-trained: the mean of a text's tokens, or its first token.

    Features are standardised. Longer texts are truncated to `max_tokens` as in a fine-tuning recipe.
    """

    kind: Literal["probe"] = "probe"
    pooling: Pooling = "mean"
    max_tokens: Annotated[int, Field(ge=3)]
    truncation: Annotated[Truncation, ADDED_LATER] = "head"


class TfidfRecipe(_LinearRecipe):
    """A linear model on TF-IDF of words and of up to `longest_ngram` words in a row; it takes no encoder."""

    kind: Literal["tfidf"] = "tfidf"
    longest_ngram: Count = 1


LinearRecipe = ProbeRecipe | TfidfRecipe

AnyRecipe = Recipe | ProbeRecipe | TfidfRecipe
"""What is trained: a fine-tuned encoder, or a linear model."""
