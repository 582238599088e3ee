"""A fit of ours as the objective of a user's own Optuna study."""

import math

import optuna
import pytest
from optuna.trial import FixedTrial

from finetune_alf import ChoicesSpace, LogSpace, MiniSource, SampleSpec, load_encoder, objective, prepare_sample
from finetune_alf.data.sample import load_sample
from finetune_alf.encoder import RandomEncoder
from finetune_alf.errors import EncoderError, InputError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.loader import FitLoader
from finetune_alf.jobs.splits import task_splits
from finetune_alf.rates import LayerRates, UniformRates, addresses
from finetune_alf.recipe import SGD, Contrastive
from finetune_alf.seeds import child_seed
from finetune_alf.train.fit import fit
from tiny import N_LAYERS, TINY_BERT, load_tiny, tiny_recipe, tiny_spec

SPACE = ChoicesSpace(rates=(0, 1e-3, 1e-2))
PARAMS = {f"rates.{address}" for address in addresses(N_LAYERS)[:-1]}
SPEC = SampleSpec(
    source=MiniSource(domain="films"), n_train=24, n_validation=24, n_confirmation=0, n_test=24, max_train_frac=0.2
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films") / "films"
    prepare_sample("films", SPEC, folder)
    return folder


@pytest.fixture(scope="module")
def encoder():
    return load_tiny()


def optimized(score, n_trials=4, pruner=None, direction="maximize"):
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(direction=direction, sampler=sampler, pruner=pruner or optuna.pruners.NopPruner())
    study.optimize(score, n_trials=n_trials)
    return study


def test_a_users_study_suggests_our_params_and_reports_every_epoch(folder, encoder):
    study = optimized(objective(folder, encoder, tiny_recipe(), space=SPACE))
    for trial in study.trials:
        assert set(trial.params) == PARAMS
        assert set(trial.params.values()) <= set(SPACE.rates)
        assert list(trial.intermediate_values) == [1, 2, 3]
        assert trial.user_attrs["rates"]["head"] == 1e-2


def test_the_score_is_that_of_the_fit_itself(folder):
    config = {**TINY_BERT, "initializer_range": 0.4}  # so that scores differ between seeds
    encoder, recipe = load_encoder(RandomEncoder(kind="random", config=config, seed=1), 2), tiny_recipe()
    params = FixedTrial(dict.fromkeys(sorted(PARAMS), 1e-2))
    splits = task_splits(encoder, load_sample(folder), recipe)
    rates = LayerRates(dict.fromkeys(addresses(N_LAYERS), 1e-2))
    own = [fit(encoder, splits, recipe.with_rates(rates), child_seed(seed, "fit")).score for seed in range(4)]
    assert len(set(own)) > 1
    assert [objective(folder, encoder, recipe, space=SPACE, seed=seed)(params) for seed in range(4)] == own


@pytest.mark.parametrize("given", ["class_weights", "class_sampling"])
def test_a_fit_from_python_weights_classes_as_a_stage_does(folder, encoder, given):
    sample = load_sample(folder)
    weights = dict(zip(sample.card.label_names, (0.5, 4.0), strict=True))
    recipe = tiny_recipe(**{given: weights if given == "class_weights" else "balanced"})
    job = FitJob("job", recipe, tiny_spec(), sample.card.digest, 3, "fp32")
    loaded, theirs = FitLoader({sample.card.digest: folder}, "cpu").load(job)
    ours = task_splits(encoder, sample, recipe)
    (one,), (other,) = ours.values(), theirs.values()
    assert (one.train.class_weights, one.train.class_sampling) == (
        other.train.class_weights,
        other.train.class_sampling,
    )
    plain = task_splits(encoder, sample, tiny_recipe())
    fits = [fit(*each, recipe, 3) for each in ((encoder, ours), (loaded, theirs), (encoder, plain))]
    losses = [[epoch.train_loss for epoch in result.epochs] for result in fits]
    assert losses[0] == losses[1] != losses[2]


def test_any_rates_between_two_are_suggested(folder, encoder):
    study = optimized(objective(folder, encoder, tiny_recipe(epochs=1), space=LogSpace(low=1e-4, high=1e-2)), 2)
    assert all(1e-4 <= rate <= 1e-2 for trial in study.trials for rate in trial.params.values())


def test_the_users_pruner_ends_trials_between_epochs(folder, encoder):
    above = optuna.pruners.ThresholdPruner(lower=2.0)  # no score is that high
    study = optimized(objective(folder, encoder, tiny_recipe(), space=SPACE), 1, above)
    assert study.trials[0].state == optuna.trial.TrialState.PRUNED
    assert list(study.trials[0].intermediate_values) == [1]


def test_a_fit_that_diverges_fails_its_trial(folder, encoder):
    recipe = tiny_recipe(optimizer=SGD(weight_decay=1e38))
    score = objective(folder, encoder, recipe, space=SPACE)
    assert math.isnan(score(FixedTrial(dict.fromkeys(PARAMS, 1e-2))))


@pytest.mark.parametrize(
    "recipe",
    [
        tiny_recipe(rates=UniformRates(rate=2e-3, head=0.0)),
        tiny_recipe(objective=Contrastive(n_pairs=2), pooling="mean"),
    ],
)
def test_rates_at_which_nothing_learns_fail_their_trial_and_the_study_goes_on(folder, encoder, recipe):
    study = optuna.create_study(direction="maximize")
    for rate in (0, 1e-2):
        study.enqueue_trial(dict.fromkeys(PARAMS, rate))
    study.optimize(objective(folder, encoder, recipe, space=SPACE), n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE"]


def test_a_study_that_minimises_is_refused(folder, encoder):
    with pytest.raises(InputError, match=r'create_study\(direction="maximize"\)'):
        optimized(objective(folder, encoder, tiny_recipe(), space=SPACE), 1, direction="minimize")


def test_a_head_for_another_number_of_classes_is_named(folder):
    with pytest.raises(EncoderError, match=r"a head of 2 outputs for the sample films, but has 3\. Load it with"):
        objective(folder, load_encoder(tiny_spec(), 3), tiny_recipe(), space=SPACE)
