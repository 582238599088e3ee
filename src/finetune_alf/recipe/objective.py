"""Objectives other than that of the head: what a fit trains the encoder for."""

from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.spec import Count, Spec


class Contrastive(Spec):
    """Pairs of texts: similar where they have the same class; then logistic regression on the encoder's features.

    SetFit (Tunstall et al. 2022, "Efficient Few-Shot Learning Without Prompts", section 3): squared error of the cosine
    similarity of two texts, of a target of 1 for equal classes and 0 for others. Each text is the first one of
    `n_pairs` pairs, which are drawn once, a fraction of them with a text of its own class. The authors' R of 20 means
    20 pairs of each kind for every text. A step of the recipe takes `batch` pairs; theirs takes 16, in one epoch.
    """

    kind: Literal["contrastive"] = "contrastive"
    n_pairs: Count = 40
    """The pairs that each text is the first one of."""
    positive_frac: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The fraction of a text's pairs that have its class."""

    @property
    def n_positive(self) -> int:
        """The number of pairs of a text with its own class."""
        return round(self.n_pairs * self.positive_frac)
