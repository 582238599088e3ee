"""A sampler that keeps its observations suggests what one suggests that is given all of them at once."""

from collections.abc import Sequence

import optuna
import pytest
from fake_studies import N_LAYERS, RATES
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_alf.seeds import child_seed
from finetune_alf.study.sampler import AnyObservation, Observation, PrunedObservation, StudySampler
from finetune_alf.study.space import ChoicesSpace, LogSpace
from finetune_alf.study.spec import TpeSampler

GRID = ChoicesSpace(rates=RATES)
LOG = LogSpace(low=1e-8, high=1e-4)
TPE = TpeSampler(n_startup_trials=3)
SEED = 5


def stock(space: ChoicesSpace | LogSpace, number: int, observations: Sequence[AnyObservation]) -> dict[str, float]:
    """Return what a new study of Optuna suggests that is given all observations."""
    distributions = space.distributions(N_LAYERS)
    sampler = optuna.samplers.TPESampler(
        seed=child_seed(SEED, "proposal", number), n_startup_trials=3, multivariate=False, constant_liar=False
    )
    study = optuna.create_study(sampler=sampler, direction="maximize")
    for observed in observations:
        if isinstance(observed, Observation):
            trial = optuna.create_trial(params=observed.params, distributions=distributions, value=observed.score)
        else:
            trial = optuna.create_trial(
                state=optuna.trial.TrialState.PRUNED,
                params=observed.params,
                distributions=distributions,
                intermediate_values=observed.intermediate_values,
            )
        study.add_trial(trial)
    return study.ask(distributions).params


@st.composite
def observation_lists(draw: st.DrawFn, space: ChoicesSpace | LogSpace) -> list[AnyObservation]:
    units, scores = st.floats(0, 0.999), st.sampled_from([0.1, 0.2, 0.3, 0.7])
    observations: list[AnyObservation] = []
    for _ in range(draw(st.integers(1, 9))):
        params = {name: space.value_at(name, draw(units)) for name in space.param_addresses(N_LAYERS)}
        values = {step: draw(scores) for step in range(1, draw(st.integers(1, 3)))}
        is_pruned = draw(st.booleans())
        observations.append(PrunedObservation(params, values) if is_pruned else Observation(params, draw(scores)))
    return observations


@pytest.mark.parametrize("space", [GRID, LOG])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_proposals_are_those_of_a_new_study_of_all_observations(
    space: ChoicesSpace | LogSpace, data: st.DataObject
) -> None:
    observations = data.draw(observation_lists(space))
    kept = StudySampler(TPE, space, N_LAYERS, SEED)
    for number in data.draw(st.lists(st.integers(0, len(observations)), min_size=1, max_size=4)):
        expected = stock(space, number, observations[:number])
        assert kept.suggest(number, observations[:number]) == expected
        assert StudySampler(TPE, space, N_LAYERS, SEED).suggest(number, observations[:number]) == expected


def test_an_observation_that_comes_late_takes_the_place_of_its_number() -> None:
    observations = [
        Observation({name: GRID.value_at(name, (number * 0.37) % 1) for name in GRID.param_addresses(N_LAYERS)}, score)
        for number, score in enumerate([0.5, 0.9, 0.2, 0.7, 0.4])
    ]
    kept = StudySampler(TPE, GRID, N_LAYERS, SEED)
    kept.suggest(5, [*observations[:1], *observations[2:]])
    assert kept.suggest(6, observations) == stock(GRID, 6, observations)
