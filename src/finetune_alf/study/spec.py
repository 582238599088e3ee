"""The params of a study and of its importance: `studies.<name>` and `importance` in params.yaml."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from finetune_alf.metric_names import MetricName
from finetune_alf.paths import Name
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.recipe import forgetting_message
from finetune_alf.spec import ADDED_LATER, Count, Spec
from finetune_alf.study.server import public_url
from finetune_alf.study.space import Space

_STATEFUL = "it keeps state between trials, which a resumed study cannot restore"

UNSUPPORTED_SAMPLERS = {
    "cmaes": _STATEFUL,
    "grid": f"{_STATEFUL}, and a grid over all layers is too large",
    "bruteforce": "a grid over all layers is too large",
    "nsgaii": f"{_STATEFUL}, and a study has one objective",
    "nsgaiii": f"{_STATEFUL}, and a study has one objective",
    "gp": "fitting its model takes longer than the fit that it saves",
    "partialfixed": "put fixed rates into the space",
}
"""Optuna's other samplers, and why they are not supported."""

UNSUPPORTED_PRUNERS = {
    "hyperband": "its brackets depend on the other trials of a run, which a resumed study cannot restore",
    "percentile": "use `median`",
    "patient": "early stopping is part of the recipe: `recipe.early_stopping`",
    "threshold": "early stopping is part of the recipe: `recipe.early_stopping`",
    "wilcoxon": "it compares scores of problem instances, which epochs are not",
}
"""Optuna's other pruners, and why they are not supported."""


Lag = Annotated[Count, ADDED_LATER]
"""Trial n sees trials up to n - lag."""


def n_seen_by(number: int, lag: int) -> int:
    """Return how many trials the trial of this number can see: those with numbers below this, up to number - lag."""
    return max(number - lag + 1, 0)


class TpeSampler(Spec):
    """Optuna's tree-structured Parzen estimator, univariate (`multivariate=False`), as in the thesis."""

    kind: Literal["tpe"] = "tpe"
    n_startup_trials: Annotated[int, Field(ge=0)] = 10
    """The random trials before the estimator proposes."""
    lag: Lag = 1
    """Trial n is proposed from the results of trials up to n - lag, and of no others. So any number of workers up to
    `lag` finds the same trials, and more workers than that are idle. With 1 each proposal waits for the trial before
    it."""


class RandomSampler(Spec):
    """Optuna's random sampler: independent rates, best for importance."""

    kind: Literal["random"] = "random"
    lag: Lag = 1
    """No proposal waits for a result. Under a pruner, trial n is compared with trials up to n - lag, and waits for
    them."""


class QmcSampler(Spec):
    """A scrambled Sobol' sequence, whose point n is trial n: quasi-random, spread more evenly than random rates."""

    kind: Literal["qmc"] = "qmc"
    lag: Lag = 1
    """No proposal waits for a result. Under a pruner, trial n is compared with trials up to n - lag, and waits for
    them."""


class MedianPruner(Spec):
    """Optuna's median pruner: prune a trial whose best epoch so far is below the median of the finished trials.

    The median is over the scores that the finished trials had at the same epoch.
    """

    kind: Literal["median"] = "median"
    n_startup_trials: Annotated[int, Field(ge=0)] = 5
    """The trials that are finished before any is pruned."""
    n_warmup_epochs: Annotated[int, Field(ge=0)] = 0
    """The epochs of a trial in which it is not pruned."""


class SuccessiveHalvingPruner(Spec):
    """Optuna's asynchronous successive halving: at each rung, one in `reduction_factor` trials continues.

    Rungs lie at `min_epochs` times powers of `reduction_factor`.
    """

    kind: Literal["successive_halving"] = "successive_halving"
    min_epochs: Count = 1
    reduction_factor: Annotated[int, Field(ge=2)] = 2


def _kind_or_mapping(spec_types: Any, unsupported: Mapping[str, str]) -> BeforeValidator:
    """Accept the bare name of a kind in place of a mapping, and say why an unsupported Optuna class is refused."""
    allowed = [spec_type.model_fields["kind"].default for spec_type in get_args(spec_types)]

    def to_mapping(value: Any) -> Any:
        mapping = {"kind": value} if isinstance(value, str) else value
        kind = mapping.get("kind") if isinstance(mapping, Mapping) else None
        if isinstance(kind, str) and kind not in allowed:
            plain = re.sub(r"[-_]|(sampler|pruner)$", "", kind.lower())
            why = f": {unsupported[plain]}" if plain in unsupported else ""
            raise ValueError(f"must be {' or '.join(allowed)}, but got {kind}{why}")
        return mapping

    return BeforeValidator(to_mapping, json_schema_input_type=Literal[*allowed] | spec_types)


AnySampler = TpeSampler | RandomSampler | QmcSampler
AnyPruner = MedianPruner | SuccessiveHalvingPruner

Sampler = Annotated[AnySampler, Field(discriminator="kind"), _kind_or_mapping(AnySampler, UNSUPPORTED_SAMPLERS)]
Pruner = Annotated[AnyPruner, Field(discriminator="kind"), _kind_or_mapping(AnyPruner, UNSUPPORTED_PRUNERS)]
Enqueued = Literal["baseline", "decayed"]


def ignores_scores(sampler: AnySampler, n_trials: int | None) -> bool:
    """Return whether a sampler drew all of a study's trials without regard to scores; TPE's first ones are random."""
    return isinstance(sampler, RandomSampler | QmcSampler) or (
        isinstance(sampler, TpeSampler) and n_trials is not None and n_trials <= sampler.n_startup_trials
    )


class StudySpec(Spec):
    """A search for the learning rates with the best score on the validation split.

    The recipe's own rates are the baseline, and every trial has the baseline's head rate. `enqueue` names rates to try
    first: `baseline`, and `decayed`, the baseline's highest rate with layer-wise decay.
    """

    encoder: Name
    sample: Name
    metric: MetricName = "accuracy"
    """The score that is maximised on the validation split."""
    space: Space
    """The rates that trials may have."""
    sampler: Sampler = TpeSampler()
    """How Optuna proposes rates."""
    pruner: Pruner | None = None
    """How Optuna ends trials early, by their scores after each epoch; `null`, the default, ends none."""
    seed: Annotated[int, Field(ge=0)] = 0
    recipe: Recipe
    n_trials: Count
    """The number of trials; raise it to continue the search."""
    max_hours: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The hours of fitting, over all starts, after which no further trial begins; `null`, the default, is no limit.

    Hours in which no trial was under way do not count. The trials under way are finished, and the later stages take the
    trials that there are. Raise it to continue.
    """
    enqueue: tuple[Enqueued, ...] = ()

    @property
    def score_name(self) -> str:
        """The name of the score that is maximized: the metric, or `overall` for a recipe of several tasks."""
        return "overall" if self.recipe.tasks else self.metric

    @property
    def max_at_once(self) -> int | None:
        """How many trials can run at once: `sampler.lag` where they depend on results of others, else any number."""
        depends = isinstance(self.sampler, TpeSampler) or self.pruner is not None
        return self.sampler.lag if depends else None

    @model_validator(mode="after")
    def _check_highest_rate(self) -> Self:
        if self.recipe.may_forget_at(self.space.highest):
            raise ValueError(forgetting_message("space", self.space.highest))
        return self


class StudyStoreSpec(Spec):
    """Where studies keep their trials: a database of a PostgreSQL server, or files in `studies/`."""

    url: Annotated[str, AfterValidator(public_url)] | None = None
    """The server, as `postgresql://USER@HOST/DATABASE`; without one, each study has a SQLite file in `studies/`.

    The environment variable `ALF_STUDY_STORE` replaces it, for a URL with a password, which no file may have.
    """


class ImportanceSpec(Spec):
    """The importance of a study: over `n_resamples` subsamples of its trials, seeded by `seed`."""

    n_resamples: Annotated[int, Field(ge=2)] = 100
    seed: Annotated[int, Field(ge=0)] = 0
