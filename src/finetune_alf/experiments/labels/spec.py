"""The spec of a labels experiment: an entry of the section `labels` in params.yaml."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from finetune_alf.experiments.scheme_checks import resting_head
from finetune_alf.experiments.scheme_spec import (
    BaselineScheme,
    RegisteredScheme,
    Schemes,
    UniformScheme,
    encoder_rate,
)
from finetune_alf.metric_names import MetricName
from finetune_alf.paths import Name
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.recipe import forgetting_message
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.spec import Count, Spec


class LabelsSpec(Spec):
    """An encoder, some samples, a recipe, and the schemes and numbers of training texts that are tried.

    A draw takes `n_validation` validation texts and the training texts from a sample's rows outside of its test split,
    as many of each class; the training texts of a smaller number are among those of a larger one. Every draw has its
    own fit seed. There are `n_seeds` draws of each sample, the same for all schemes; fewer than the default have no
    verdict. The recipe is that of `baseline`, plain fine-tuning, which the other schemes are compared with. All are
    scored by `metric` on the sample's test split.
    """

    encoder: Name
    samples: Annotated[tuple[Name, ...], Field(min_length=1)]
    recipe: Recipe
    metric: MetricName = "accuracy"
    schemes: Schemes
    """What is compared: names, or maps with settings."""
    n_train: Annotated[tuple[Count, ...], Field(min_length=1)]
    """The numbers of labelled texts."""
    n_validation: Count = 32
    n_seeds: Count = MIN_SEEDS
    seed: Annotated[int, Field(ge=0)] = 1

    @property
    def baseline(self) -> str:
        """The name of the scheme that the others are compared with."""
        return next(scheme.label for scheme in self.schemes if isinstance(scheme, BaselineScheme))

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if faults := [*self._faults_of_schemes(), *self._faults_of_numbers()]:
            raise ValueError("; ".join(faults))
        return self

    def _faults_of_schemes(self) -> Iterator[str]:
        if not any(isinstance(scheme, BaselineScheme) for scheme in self.schemes):
            yield f"schemes must have baseline, which the others are compared with, but got {self._labels}"
        for scheme in self.schemes:
            if isinstance(scheme, RegisteredScheme):
                yield (
                    f"schemes must name a registered schedule by its model, as in alf-minilm@{scheme.kind}, but got "
                    f"{scheme.kind}"
                )
            if isinstance(scheme, UniformScheme) and scheme.rate is None:
                yield "schemes must give uniform a rate, since there is no study that searched one"
            if resting := resting_head(scheme, self.recipe):
                yield f"schemes must not have {resting}"
            if (rate := encoder_rate(scheme)) and self.recipe.may_forget_at(rate):
                yield forgetting_message(f"the rate of scheme {scheme.label}", rate)
        if self.recipe.tasks is not None:
            yield "recipe.tasks must be left out, since every fit has one task"

    def _faults_of_numbers(self) -> Iterator[str]:
        if list(self.n_train) != sorted(set(self.n_train)):
            yield f"n_train must rise from number to number, but got {', '.join(map(str, self.n_train))}"

    @property
    def _labels(self) -> str:
        return ", ".join(scheme.label for scheme in self.schemes)
