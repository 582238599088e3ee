"""Uneven classes: the weight of each class in the loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.spec import LabelName

Weight = Annotated[float, Field(gt=0)]

ClassWeights = Literal["balanced"] | Annotated[dict[LabelName, Weight], Field(min_length=1)]
"""Each class the same weight in all, however many texts it has; or weights by name, 1 for a class that is not named."""

ClassSampling = Literal["natural", "balanced"]
"""Which texts come in an epoch: every one once, or as many of each class."""


@dataclass(frozen=True)
class Classes:
    """The classes of a task in their order, with their numbers of training texts; none where labels are scores."""

    counts: Mapping[str, int]

    def weights(self, given: ClassWeights) -> tuple[float, ...]:
        """Return the weight of each class.

        `balanced` is n / (k * n_c) for a class of n_c of the n texts, among k classes that have texts: that of
        scikit-learn, after King & Zeng 2001, "Logistic Regression in Rare Events Data".
        """
        if given != "balanced":
            return tuple(given.get(name, 1.0) for name in self.counts)
        n, k = sum(self.counts.values()), sum(n > 0 for n in self.counts.values())
        return tuple(n / (k * own) if own else 1.0 for own in self.counts.values())

    def unknown(self, given: ClassWeights) -> list[str]:
        """Return the names that are no class."""
        return [] if given == "balanced" else [name for name in given if name not in self.counts]
