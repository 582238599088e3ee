"""What is asked of a study, as it stands in params.yaml under `studies.<name>`."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from finetune_alf.metrics import MetricName
from finetune_alf.paths import Name
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.recipe import forgetting_message
from finetune_alf.spec import Spec
from finetune_alf.study.space import Space

Count = Annotated[int, Field(ge=1)]

_KEEPS_STATE = "keeps state between proposals, which a resumed study cannot repeat"

REFUSED_SAMPLERS = {
    "cmaes": _KEEPS_STATE,
    "grid": f"{_KEEPS_STATE}, and a grid over all layers has no end",
    "bruteforce": "a grid over all layers has no end",
    "nsgaii": f"{_KEEPS_STATE}, and a study has one metric",
    "nsgaiii": f"{_KEEPS_STATE}, and a study has one metric",
    "gp": "its model takes longer than the fit it saves",
    "partialfixed": "fixed addresses belong into the space",
}

REFUSED_PRUNERS = {
    "hyperband": "its brackets hang on what else ran, which a resumed study cannot repeat",
    "percentile": "`median` is the one kept",
    "patient": "stopping a fit is the recipe's matter: `recipe.stopping`",
    "threshold": "stopping a fit is the recipe's matter: `recipe.stopping`",
    "wilcoxon": "it compares scores over instances, and an epoch is none",
}


class TpeSampler(Spec):
    """Optuna's tree-structured Parzen estimator, each parameter by itself (`multivariate=False`): the thesis's."""

    kind: Literal["tpe"] = "tpe"
    n_startup: Annotated[int, Field(ge=0)] = 10


class RandomSampler(Spec):
    """Every vector drawn by itself: what a study for importance wants."""

    kind: Literal["random"] = "random"


class QmcSampler(Spec):
    """A scrambled Sobol' sequence, whose point n is trial n: random, but evenly spread."""

    kind: Literal["qmc"] = "qmc"


class MedianPruner(Spec):
    """Stop a trial whose best epoch so far is below the median of the finished trials at the same epoch."""

    kind: Literal["median"] = "median"
    n_startup: Annotated[int, Field(ge=0)] = 5
    n_warmup_epochs: Annotated[int, Field(ge=0)] = 0


class SuccessiveHalvingPruner(Spec):
    """Let one in `factor` trials go on from each rung; rungs lie at `min_epochs` times powers of `factor`."""

    kind: Literal["successive_halving"] = "successive_halving"
    min_epochs: Count = 1
    factor: Annotated[int, Field(ge=2)] = 2


def _named(asked: Any, refused: Mapping[str, str]) -> BeforeValidator:
    """Take a bare name for the mapping with that kind, and say why a known one is not there."""
    allowed = [spec.model_fields["kind"].default for spec in get_args(asked)]

    def to_mapping(given: Any) -> Any:
        mapping = {"kind": given} if isinstance(given, str) else given
        kind = mapping.get("kind") if isinstance(mapping, Mapping) else None
        if isinstance(kind, str) and kind not in allowed:
            plain = re.sub(r"[-_]|(sampler|pruner)$", "", kind.lower())
            why = f": {refused[plain]}" if plain in refused else ""
            raise ValueError(f"must be {' or '.join(allowed)}, but got {kind}{why}")
        return mapping

    return BeforeValidator(to_mapping, json_schema_input_type=Literal[*allowed] | asked)


AnySampler = TpeSampler | RandomSampler | QmcSampler
AnyPruner = MedianPruner | SuccessiveHalvingPruner

Sampler = Annotated[AnySampler, Field(discriminator="kind"), _named(AnySampler, REFUSED_SAMPLERS)]
Pruner = Annotated[AnyPruner, Field(discriminator="kind"), _named(AnyPruner, REFUSED_PRUNERS)]
Enqueued = Literal["baseline", "decayed"]


class StudySpec(Spec):
    """A search for the rates that score best on the validation split.

    The recipe's own rates are the baseline; its head rate is every trial's. `enqueue` names vectors to try first:
    `baseline`, and `decayed`, the baseline's highest rate under layer-wise decay.
    """

    encoder: Name
    sample: Name
    metric: MetricName = "accuracy"
    space: Space
    sampler: Sampler = TpeSampler()
    pruner: Pruner | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    recipe: Recipe
    n_trials: Count
    enqueue: tuple[Enqueued, ...] = ()

    @property
    def score_name(self) -> str:
        """What is maximised: the metric, or the overall score where the recipe is one of several tasks."""
        return "overall" if self.recipe.tasks else self.metric

    @model_validator(mode="after")
    def _refuse_forgetting(self) -> Self:
        if self.recipe.may_forget_at(self.space.highest):
            raise ValueError(forgetting_message("space", self.space.highest))
        return self


class ImportanceSpec(Spec):
    """How surely importance is asked for: bootstrap resamples of the trials, each with a forest of its own."""

    n_resamples: Annotated[int, Field(ge=2)] = 30
    seed: Annotated[int, Field(ge=0)] = 0
