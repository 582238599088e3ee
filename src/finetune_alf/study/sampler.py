"""What a study tries next, as a pure function of what it has finished.

A sampler that lives on between proposals cannot be taken up again after a kill. So each proposal has its own, fresh and
seeded by (seed, number): a resumed study goes on as if it had never stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna

from finetune_alf.seeds import child_seed
from finetune_alf.study.space import AnySpace
from finetune_alf.study.spec import AnySampler, QmcSampler, RandomSampler, TpeSampler


@dataclass(frozen=True)
class Tried:
    """A finished trial, as far as a sampler sees it."""

    params: Mapping[str, float]
    score: float


def propose(
    sampler: AnySampler,
    space: AnySpace,
    n_layers: int,
    tried: Sequence[Tried],
    seed: int,
    number: int,
) -> dict[str, float]:
    """Return the parameters of trial `number`, after the trials in `tried` (in the order of their numbers)."""
    own_seed = child_seed(seed, "proposal", number)
    match sampler:
        case TpeSampler():
            tpe = optuna.samplers.TPESampler(
                seed=own_seed, n_startup_trials=sampler.n_startup, multivariate=False, constant_liar=False
            )
            return _ask(tpe, space, n_layers, tried)
        case RandomSampler():
            return _ask(optuna.samplers.RandomSampler(seed=own_seed), space, n_layers, ())
        case QmcSampler():
            return _point(space, n_layers, seed, number)


def _ask(
    sampler: optuna.samplers.BaseSampler, space: AnySpace, n_layers: int, tried: Sequence[Tried]
) -> dict[str, float]:
    distributions = space.distributions(n_layers)
    memory = memory_study(sampler=sampler)
    memory.add_trials(
        optuna.create_trial(params=dict(trial.params), distributions=distributions, value=trial.score)
        for trial in tried
    )
    return dict(memory.ask(distributions).params)


def _point(space: AnySpace, n_layers: int, seed: int, number: int) -> dict[str, float]:
    from scipy.stats import qmc

    names = list(space.parameters(n_layers))
    # One scrambling for the whole study: its points belong to one sequence.
    engine = qmc.Sobol(len(names), scramble=True, rng=np.random.default_rng(child_seed(seed, "qmc")))
    if number:  # SciPy cannot skip no points
        engine.fast_forward(number)
    units = engine.random(1)[0]
    return {name: space.at(float(unit)) for name, unit in zip(names, units, strict=True)}


def memory_study(
    sampler: optuna.samplers.BaseSampler | None = None, pruner: optuna.pruners.BasePruner | None = None
) -> optuna.Study:
    """Return an empty study that lives in memory and maximises."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study, and there is one a proposal
    return optuna.create_study(
        storage=None, sampler=sampler or optuna.samplers.RandomSampler(), pruner=pruner, direction="maximize"
    )
