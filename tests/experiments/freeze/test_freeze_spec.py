import pytest
from pydantic import ValidationError
from sweeps import RECIPE, spec

from finetune_alf.errors import RatesError
from finetune_alf.experiments.freeze.bench import levels_of
from finetune_alf.experiments.freeze.levels import Level, levels
from finetune_alf.rates import EMBEDDINGS, HEAD, layer


def names(n_frozen, n_layers):
    return [level.name for level in levels(n_frozen, n_layers)]


def test_the_defaults_are_the_papers():
    default = spec()
    assert default.rates == (1e-5, 2e-5, 3e-5, 4e-5, 5e-5)
    assert (default.n_frozen, default.n_seeds, default.keep_frac) == ("half-up", 5, 0.9)


@pytest.mark.parametrize(
    ("n_layers", "expected"),
    [(12, ["none", "6", "7", "8", "9", "10", "11", "12"]), (6, ["none", "3", "4", "5", "6"]), (3, ["none", "2", "3"])],
)
def test_half_up_is_the_full_model_and_each_number_from_half_of_the_layers_up(n_layers, expected):
    assert names("half-up", n_layers) == expected


def test_levels_are_sorted_each_once_and_the_full_model_is_always_there():
    assert names([4, "all", 2, 6], 6) == ["none", "2", "4", "6"]
    assert names(["none", 1], 6) == ["none", "1"]


def test_more_layers_than_there_are_cannot_be_frozen():
    with pytest.raises(RatesError, match=r"^freeze\.elsa\.n_frozen: must be at most the encoder's 6 layers, but got 7"):
        levels([7], 6, "freeze.elsa.n_frozen")


def test_a_level_freezes_the_embeddings_and_the_lowest_layers():
    rates = Level(2, 3).rates(2e-5, 1e-3)
    assert rates.frozen == (EMBEDDINGS, layer(0), layer(1))
    assert (rates[layer(2)], rates[HEAD]) == (2e-5, 1e-3)
    assert Level(2, 3).n_trained == 1


def test_the_full_model_trains_everything_and_0_frozen_layers_freeze_the_embeddings_only():
    assert Level(None, 3).rates(2e-5, 2e-5).frozen == ()
    assert Level(0, 3).rates(2e-5, 2e-5).frozen == (EMBEDDINGS,)
    assert Level(None, 3).n_trained == Level(0, 3).n_trained == 3


CONTRASTIVE = RECIPE | {"objective": {"kind": "contrastive"}, "pooling": "mean"}


def test_under_an_objective_a_layer_must_be_left_to_learn():
    """No head is trained then, so that with all layers frozen nothing learns."""
    some = spec(recipe=CONTRASTIVE, n_frozen=[2, 6])
    assert [level.name for level in levels_of("elsa", some, 12)] == ["none", "2", "6"]
    with pytest.raises(RatesError, match=r"^freeze\.elsa\.n_frozen: must leave one of the 6 layers to learn"):
        levels_of("elsa", some, 6)
    for n_frozen, got in (("half-up", "half-up"), ([1, "all"], "1, all")):
        with pytest.raises(ValidationError, match=f"n_frozen must leave a layer that learns, .*, but got {got}"):
            spec(recipe=CONTRASTIVE, n_frozen=n_frozen)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": {"other": ["f1"]}}, "of samples of this sweep, but got other"),
        ({"metrics": {"words": ["f1", "accuracy", "f1"]}}, "once each, but got one twice for words"),
        ({"rates": [1e-5, 1e-5]}, "rates must differ"),
        ({"rates": [1e-5, 1.00000001e-5]}, "rates must differ, but got 1e-5, 1e-5"),
        ({"rates": [1e-5, 2e-4]}, "catastrophic forgetting"),
        ({"n_seeds": 2, "n_search_seeds": 3}, "at most n_seeds, 2, but got 3"),
        ({"n_frozen": [-1]}, "greater than or equal to 0"),
        ({"recipe": RECIPE | {"rates": {"kind": "decayed", "rate": 1e-5}}}, "must be uniform"),
        ({"recipe": RECIPE | {"rates": {"kind": "uniform", "rate": 1e-5, "head": 0}}}, "head must be above 0"),
        ({"recipe": RECIPE | {"unfreezing": {"kind": "gradual"}}}, "unfreezing must be immediate"),
        ({"keep_frac": 0}, "greater than 0"),
    ],
)
def test_a_bad_spec_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        spec(**changes)
