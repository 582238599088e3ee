"""Objective: a fit of this package as the objective of a user's own Optuna study."""

from collections.abc import Callable, Mapping
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from finetune_alf.compute import Compute
from finetune_alf.data.mixture import AnySample, load_any_sample
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.errors import InputError
from finetune_alf.jobs.splits import task_splits
from finetune_alf.rates import HEAD, Address
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.study.space import AnySpace
from finetune_alf.train.fit import fit
from finetune_alf.train.result import EpochMetrics

Objective = Callable[[optuna.Trial], float]


def objective(
    sample: AnySample | str | Path,
    encoder: Encoder,
    recipe: Recipe,
    *,
    space: AnySpace,
    metric: str = "accuracy",
    seed: int = 0,
    compute: Compute | None = None,
) -> Objective:
    """Return an objective to maximise: it suggests rates, fine-tunes the encoder, and returns the validation score.

    `sample` is a sample or its folder. Suggested params have the names of a study's own, such as `rates.layer.3`; the
    recipe's rates are for the head alone. Each epoch's score is reported, and the study's pruner may end the trial. All
    trials have the fit seed that a study of this `seed` has. A fit that diverges returns NaN, which fails its trial,
    and so do rates at which nothing learns. Raises InputError in a study that minimises.
    """
    drawn = load_any_sample(Path(sample)) if isinstance(sample, str | Path) else sample
    splits = task_splits(encoder, drawn, recipe, metric=metric)
    head = recipe.rates.at(encoder.n_layers)[HEAD]
    distributions = space.distributions(encoder.n_layers)

    def score(trial: optuna.Trial) -> float:
        _check_direction(trial)
        rates = space.layer_rates(_suggested(trial, distributions), encoder.n_layers, head)
        trial.set_user_attr("rates", _named(rates))
        if not recipe.learns(rates):
            return float("nan")

        def report(epoch: EpochMetrics) -> bool:
            if epoch.validation_score is None:
                return True
            n_completed = epoch.epoch + 1
            trial.report(epoch.validation_score, step=n_completed)
            return n_completed == recipe.epochs or not trial.should_prune()

        result = fit(
            encoder,
            splits,
            recipe.with_rates(rates),
            child_seed(seed, "fit"),
            precision=compute.precision if compute else "fp32",
            micro_batch=compute.micro_batch if compute else None,
            report=report,
        )
        if result.stopped == "pruned":
            raise optuna.TrialPruned
        return float("nan") if result.score is None else result.score

    return score


def _suggested(trial: optuna.Trial, distributions: Mapping[str, BaseDistribution]) -> dict[str, float]:
    params: dict[str, float] = {}
    for name, distribution in distributions.items():
        if isinstance(distribution, CategoricalDistribution):
            params[name] = float(trial.suggest_categorical(name, distribution.choices))  # type: ignore[arg-type]
        elif isinstance(distribution, FloatDistribution):
            params[name] = trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
    return params


def _named(rates: Mapping[Address, float]) -> dict[str, float]:
    return {str(address): rate for address, rate in rates.items()}


def _check_direction(trial: optuna.Trial) -> None:
    study = getattr(trial, "study", None)  # a FixedTrial has none
    if study is not None and study.direction == optuna.study.StudyDirection.MINIMIZE:
        raise InputError(
            'This objective returns a score, and the study minimises. Use optuna.create_study(direction="maximize").'
        )
