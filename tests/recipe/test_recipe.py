import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.utils.class_weight import compute_class_weight

from finetune_alf.errors import InputError
from finetune_alf.rates import EMBEDDINGS, HEAD, FrozenBelow, LayerRates, UniformRates, addresses, layer
from finetune_alf.recipe import (
    SGD,
    AdamW,
    ConstantCurve,
    Contrastive,
    CosineCurve,
    EarlyStopping,
    ExponentialCurve,
    GradualUnfreezing,
    HoulsbyAdapter,
    ImmediateUnfreezing,
    LinearCurve,
    Recipe,
    SlantedTriangularCurve,
    TasksSpec,
    TfidfRecipe,
)
from finetune_alf.recipe.classes import Classes
from finetune_alf.recipe.task_plans import TaskInfo, task_plans


def recipe(**changes):
    return Recipe(
        **({"rates": UniformRates(rate=5e-5, head=1e-3), "epochs": 4, "batch": 8, "max_tokens": 48} | changes)
    )


curves = st.one_of(
    st.just(ConstantCurve()),
    st.builds(LinearCurve, warmup_frac=st.floats(0, 0.99)),
    st.builds(CosineCurve, warmup_frac=st.floats(0, 0.99)),
    st.builds(SlantedTriangularCurve, cut_frac=st.floats(0.01, 0.99), ratio=st.floats(1, 100)),
    st.builds(ExponentialCurve, decay=st.floats(0.01, 1)),
)


@given(curves, st.integers(1, 20), st.integers(1, 25), st.data())
def test_every_curve_stays_between_nothing_and_the_whole_rate(curve, n_epochs, steps_per_epoch, data):
    n_steps = n_epochs * steps_per_epoch
    step = data.draw(st.integers(0, n_steps - 1))
    assert 0 <= curve.at(step, n_steps, n_epochs) <= 1 + 1e-12


@given(st.floats(0.01, 1), st.integers(1, 20), st.integers(1, 25))
def test_the_exponential_curve_falls_by_its_decay_from_epoch_to_epoch_and_not_within_one(decay, n_epochs, n_steps):
    curve = ExponentialCurve(decay=decay)
    for epoch in range(n_epochs):
        steps = range(epoch * n_steps, (epoch + 1) * n_steps)
        assert {curve.at(step, n_epochs * n_steps, n_epochs) for step in steps} == {decay**epoch}


def test_the_slanted_triangle_peaks_at_the_cut_and_ends_near_one_over_ratio():
    curve = SlantedTriangularCurve(cut_frac=0.1, ratio=32)
    values = [curve.at(step, 100, 1) for step in range(100)]
    assert values.index(max(values)) == 10
    assert values[0] == pytest.approx(1 / 32)
    assert values[-1] == pytest.approx((1 + 31 / 90) / 32)


def test_linear_warms_up_and_falls_in_a_straight_line():
    values = [LinearCurve(warmup_frac=0.2).at(step, 10, 5) for step in range(10)]
    assert values == pytest.approx([0, 0.5, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])


def test_the_cosine_warms_up_in_a_straight_line_and_falls_along_half_a_cosine():
    values = [CosineCurve(warmup_frac=0.2).at(step, 10, 5) for step in range(10)]
    assert values == pytest.approx([0, 0.5, *(0.5 + 0.5 * math.cos(math.pi * step / 8) for step in range(8))])


def test_gradual_thaw_opens_the_head_and_top_first_and_one_below_each_epoch():
    unfrozen = [[a for a in addresses(3) if GradualUnfreezing().is_unfrozen(a, epoch, 3)] for epoch in range(4)]
    assert unfrozen[0] == [layer(2), HEAD]
    assert unfrozen[1] == [layer(1), layer(2), HEAD]
    assert unfrozen[3] == [EMBEDDINGS, layer(0), layer(1), layer(2), HEAD]


def test_gradual_thaw_from_the_head_opens_the_top_after_the_first_epochs():
    gradual = GradualUnfreezing(start="head", every_epochs=2)
    unfrozen = [[a for a in addresses(3) if gradual.is_unfrozen(a, epoch, 3)] for epoch in range(7)]
    assert unfrozen[0] == unfrozen[1] == [HEAD]
    assert unfrozen[2] == unfrozen[3] == [layer(2), HEAD]
    assert unfrozen[6] == [layer(0), layer(1), layer(2), HEAD]


def test_open_thaw_opens_everything_at_once():
    assert all(ImmediateUnfreezing().is_unfrozen(address, 0, 3) for address in addresses(3))


@pytest.mark.parametrize(
    ("losses", "stops"),
    [([1.0, 0.9, 0.8], False), ([1.0, 0.5, 0.5], False), ([1.0, 0.5, 0.5, 0.5], True), ([1, 2, 3], True), ([1], False)],
)
def test_a_fit_stops_once_the_training_loss_has_not_fallen_for_its_patience(losses, stops):
    assert EarlyStopping(patience=2, min_delta=0.01).should_stop(losses) is stops


def test_rates_above_the_forgetting_bound_are_refused_with_the_reason():
    with pytest.raises(ValidationError, match=r"at most 1e-4 .*but got 4e-4.*catastrophic forgetting.*Sun et al"):
        recipe(rates=UniformRates(rate=4e-4))


@pytest.mark.parametrize(
    "changes",
    [
        {"allow_forgetting": True, "rates": UniformRates(rate=4e-4)},
        {"optimizer": SGD(), "rates": UniformRates(rate=1e-2)},
        {"rates": UniformRates(rate=1e-4, head=1e-2)},
        {"adapter": HoulsbyAdapter(), "rates": UniformRates(rate=3e-3)},
    ],
)
def test_head_and_sgd_and_adapters_and_the_willing_are_exempt_from_the_forgetting_bound(changes):
    assert recipe(**changes)


def test_nesterov_needs_momentum():
    with pytest.raises(ValidationError, match="momentum must be above 0 for nesterov"):
        SGD(nesterov=True)


def test_a_recipe_comes_back_from_json_and_keeps_everything_but_its_rates():
    first = recipe(
        optimizer=AdamW(weight_decay=0.01), early_stopping=EarlyStopping(), curve=LinearCurve(warmup_frac=0.1)
    )
    again = Recipe.model_validate_json(first.model_dump_json())
    assert again == first
    listed = first.with_rates(LayerRates.of(0, [0, 1e-5], 1e-3))
    assert listed.rates.at(2).layers == (0, 1e-5)
    assert listed.model_dump(exclude={"rates"}) == first.model_dump(exclude={"rates"})


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="epocs"):
        recipe(epocs=3)


COUNTS = Classes({"bad": 60, "so so": 30, "good": 10})


def test_balanced_weights_are_scikit_learns():
    labels = [index for index, n in enumerate(COUNTS.counts.values()) for _ in range(n)]
    assert COUNTS.weights("balanced") == pytest.approx(compute_class_weight("balanced", classes=np.arange(3), y=labels))
    assert Classes({"a": 7, "b": 7}).weights("balanced") == (1.0, 1.0)
    assert Classes({"a": 6, "b": 0, "c": 2}).weights("balanced") == pytest.approx((8 / 12, 1.0, 8 / 4))


def test_weights_by_name_are_1_for_the_others_and_names_may_be_numbers_in_yaml():
    assert COUNTS.weights({"good": 2.5}) == (1.0, 1.0, 2.5)
    assert COUNTS.unknown({"good": 2.5, "fine": 1.0}) == ["fine"]
    assert recipe(class_weights={0: 2.0, True: 3}).class_weights == {"0": 2.0, "true": 3.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_weights": "balanced", "class_sampling": "balanced"}, "class_sampling must be natural"),
        ({"class_weights": "balanced", "tasks": TasksSpec()}, "tasks must be absent"),
        ({"class_sampling": "balanced", "tasks": TasksSpec()}, "tasks must be absent"),
        ({"class_weights": {"good": 0.0}}, "greater than 0"),
        ({"class_weights": {}}, "at least 1"),
    ],
)
def test_classes_are_evened_out_in_one_way(changes, message):
    with pytest.raises(ValidationError, match=message):
        recipe(**changes)


def test_a_linear_model_is_weighted_where_fine_tuning_draws_balanced_batches():
    assert recipe().linear_class_weights is None
    assert recipe(class_sampling="balanced").linear_class_weights == "balanced"
    assert recipe(class_weights={"good": 2.0}).linear_class_weights == {"good": 2.0}


@pytest.mark.parametrize(
    ("changes", "counts", "message"),
    [
        (
            {"class_weights": {"fine": 2.0}},
            COUNTS.counts,
            r"must name classes of the sample \('bad', 'so so', 'good'\)",
        ),
        ({"class_weights": "balanced"}, {}, "recipe.class_weights: must be absent where labels are scores"),
        ({"class_sampling": "balanced"}, {}, "recipe.class_sampling: must be absent where labels are scores"),
    ],
)
def test_classes_that_the_sample_does_not_have_are_refused(changes, counts, message):
    infos = {"reviews": TaskInfo(Classes(counts), has_pairs=False)}
    with pytest.raises(InputError, match=message):
        task_plans(recipe(**changes), infos, "accuracy" if counts else "pearson")


def test_the_plan_of_a_task_has_the_weights_of_its_classes():
    infos = {"reviews": TaskInfo(COUNTS, has_pairs=False)}
    assert task_plans(recipe(), infos, "accuracy")["reviews"].class_weights is None
    for weighted in (recipe(class_weights="balanced"), TfidfRecipe(class_weights="balanced")):
        assert task_plans(weighted, infos, "accuracy")["reviews"].class_weights == COUNTS.weights("balanced")


def test_an_objective_on_adapters_needs_a_layer_that_learns_from_the_first_epoch_on():
    both = {"objective": Contrastive(), "pooling": "mean", "adapter": HoulsbyAdapter()}
    assert recipe(**both).learns(LayerRates.of(0.0, [0.0, 1e-3], 0.0))
    assert not recipe(**both).learns(LayerRates.of(1e-3, [0.0, 0.0], 1e-2))
    for changes in (
        {"rates": FrozenBelow(n_frozen="all", rate=0.0, head=1e-2)},
        {"unfreezing": GradualUnfreezing(start="head")},
    ):
        with pytest.raises(ValidationError, match="rates must be above 0 at an address that learns"):
            recipe(**both, **changes)
