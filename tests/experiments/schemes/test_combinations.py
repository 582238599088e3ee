"""Schemes by name: the recipe that each makes, the combinations that are fitted, and those that are refused."""

import json

import pytest
from pydantic import ValidationError

from finetune_alf.errors import InputError, ScheduleError
from finetune_alf.experiments.schemes.cells import cells, recipe_of
from finetune_alf.experiments.schemes.combination import BASELINE
from finetune_alf.experiments.schemes.published import TABLES, published_scores
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, UniformRates, layer
from finetune_alf.recipe import SGD, AdamW, ExponentialCurve, GradualUnfreezing, HoulsbyAdapter, LinearCurve, Recipe
from finetune_alf.schedules.published import published

N_LAYERS = 6
RECIPE = {
    "rates": {"kind": "uniform", "rate": 0.01, "head": 0.02},
    "optimizer": {"kind": "sgd"},
    "batch": 32,
    "epochs": 5,
    "max_tokens": 48,
}


def spec_of(recipe=None, **changes):
    entry = {"encoder": "tiny", "samples": ["sst2"], "recipe": RECIPE | (recipe or {}), **changes}
    return SchemesSpec.model_validate_json(json.dumps(entry))


def recipe_for(scheme, spec=None, n_layers=N_LAYERS, **cell):
    """Return the recipe of a single combination."""
    spec = spec or spec_of(cells=[{"scheme": scheme, **cell}])
    schedules = {name: published(name) for name in spec.schedules}
    return recipe_of(spec, spec.combinations[0], "sst2", schedules, n_layers)


def refused(match, recipe=None, **changes):
    with pytest.raises(ValidationError, match=match):
        spec_of(recipe, **changes)


def test_fixed_is_the_recipe_itself():
    assert recipe_for("fixed") == spec_of().recipe


def test_nesterov_differs_in_its_momentum_alone():
    assert recipe_for("nesterov") == recipe_for("fixed").model_copy(
        update={"optimizer": SGD(momentum=0.9, nesterov=True)}
    )


def test_nesterov_keeps_a_momentum_and_decay_that_the_recipe_has():
    spec = spec_of({"optimizer": {"kind": "sgd", "momentum": 0.5, "weight_decay": 0.1}}, cells=[{"scheme": "nesterov"}])
    assert recipe_for("nesterov", spec).optimizer == SGD(momentum=0.5, nesterov=True, weight_decay=0.1)


def test_differential_rates_fall_by_2_6_from_layer_to_layer_towards_the_input():
    rates = recipe_for("differential").rates.at(N_LAYERS)
    assert (rates[layer(5)], rates[HEAD]) == (0.01, 0.02)
    ratios = [high / low for low, high in zip([rates[EMBEDDINGS], *rates.layers], rates.layers, strict=False)]
    assert ratios == pytest.approx([2.6] * N_LAYERS)


def test_layer_wise_decay_falls_by_its_factor():
    rates = recipe_for("decayed").rates.at(N_LAYERS)
    assert rates[layer(4)] == pytest.approx(0.95 * 0.01)


def test_gradual_unfreezing_keeps_the_rates_and_unfreezes():
    assert recipe_for("gradual") == recipe_for("fixed").model_copy(update={"unfreezing": GradualUnfreezing()})


def test_head_trains_only_the_head():
    rates = recipe_for("head").rates.at(N_LAYERS)
    assert (rates[HEAD], set(rates.frozen)) == (0.02, {EMBEDDINGS, *map(layer, range(N_LAYERS))})


def test_joined_schemes_all_change_the_recipe():
    both = recipe_for("differential+gradual", curve="slanted_triangular")  # all three ideas of ULMFiT
    assert both.rates == recipe_for("differential").rates
    assert both.unfreezing == GradualUnfreezing()
    assert both.curve.kind == "slanted_triangular"


def test_a_schedule_brings_its_rates_and_optimizer_and_leaves_the_rest():
    schedule = published("distilbert-alf-1")
    scheduled = recipe_for("distilbert-alf-1", adapter="houlsby")
    assert scheduled.rates.at(N_LAYERS) == schedule.rates
    assert scheduled.optimizer == AdamW()
    assert (scheduled.batch, scheduled.epochs, scheduled.max_tokens) == (32, 5, 48)
    assert scheduled.adapter == HoulsbyAdapter()


def test_a_schedule_of_another_depth_is_refused():
    with pytest.raises(ScheduleError, match="encoder of 12 layers"):
        recipe_for("distilbert-alf-1", n_layers=12)


def test_a_schedule_is_stretched_to_another_depth_where_the_testbed_says_so():
    spec = spec_of(cells=[{"scheme": "bert-alf-1"}], stretch=True)
    assert recipe_for("bert-alf-1", spec).rates.at(N_LAYERS) == published("bert-alf-1").rates.stretch(N_LAYERS)


def test_a_rescaled_schedule_has_the_recipes_highest_rate_and_head_and_the_schedules_proportions():
    own = published("distilbert-alf-1").rates
    small = {"rates": {"kind": "uniform", "rate": 5e-5, "head": 1e-3}}
    spec = spec_of(small, cells=[{"scheme": "distilbert-alf-1"}], rescale=True)
    rates = recipe_for("distilbert-alf-1", spec).rates.at(N_LAYERS)
    assert max(rates.layers) == pytest.approx(5e-5)
    assert rates[HEAD] == 1e-3
    assert rates.layers == pytest.approx([rate * 2.5 for rate in own.layers])
    assert rates.frozen == own.frozen


def test_feature_extraction_freezes_a_pre_trained_pooler_too():
    assert recipe_for("feature_extraction") == recipe_for("head").model_copy(update={"pooler": "frozen"})
    refused(
        "feature_extraction and head both set the rates|head and feature", cells=[{"scheme": "head+feature_extraction"}]
    )
    refused("an adapter learns at the rate", cells=[{"scheme": "feature_extraction", "adapter": "lora"}])


def test_adapters_learn_at_their_own_rate_where_one_is_given():
    spec = spec_of(cells=[{"scheme": "differential", "adapter": "houlsby"}], adapter_rate=0.5)
    assert recipe_for("differential", spec).rates.at(N_LAYERS)[layer(5)] == 0.5
    assert recipe_for("differential", spec).rates.at(N_LAYERS)[HEAD] == 0.02
    both = spec_of(cells=[{"scheme": "fixed"}, {"scheme": "fixed", "adapter": "lora"}], adapter_rate=0.5)
    bare, *_ = cells(both, both.combinations, {}, N_LAYERS)
    assert bare.recipe.rates == UniformRates(rate=0.01, head=0.02)


def test_under_adamw_adapters_may_learn_faster_than_an_encoder_may():
    adamw = {"optimizer": {"kind": "adamw"}, "rates": {"kind": "uniform", "rate": 5e-5}}
    spec = spec_of(adamw, cells=[{"scheme": "fixed", "adapter": "lora"}], adapter_rate=1e-3)
    assert recipe_for("fixed", spec).rates.highest == 1e-3
    refused("catastrophic forgetting", adamw | {"rates": {"kind": "uniform", "rate": 1e-3}})


def test_all_is_the_product_of_the_lists_without_what_cannot_be_fitted():
    spec = spec_of(schemes=["fixed", "head"], adapters=["none", "houlsby", "lora"], curves=["constant", "cosine"])
    assert [each.name for each in spec.combinations] == [
        *(f"fixed/{adapter}/{curve}" for adapter in ("none", "houlsby", "lora") for curve in ("constant", "cosine")),
        "head/none/constant",
        "head/none/cosine",
    ]
    assert set(spec.left_out) == {
        f"head/{adapter}/{curve}" for adapter in ("houlsby", "lora") for curve in ("constant", "cosine")
    }


def test_a_kind_alone_stands_for_its_defaults_and_a_map_for_others():
    spec = spec_of(
        adapters=["houlsby", {"kind": "lora", "rank": 2}],
        curves=["exponential", {"kind": "linear", "warmup_frac": 0.1}],
        schemes=["fixed"],
    )
    assert [each.adapter.model_dump() for each in spec.combinations[::2]] == [
        HoulsbyAdapter().model_dump(),
        {"kind": "lora", "rank": 2, "alpha": 16.0},
    ]
    assert [each.curve for each in spec.combinations[:2]] == [ExponentialCurve(), LinearCurve(warmup_frac=0.1)]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (
            {"scheme": "head", "adapter": "houlsby"},
            "head/houlsby/constant: head freezes every layer, and an adapter",
        ),
        ({"scheme": "gradual+head"}, r"gradual\+head/none/constant: head freezes every layer, and gradual"),
        ({"scheme": "differential+decayed"}, "differential and decayed both set the rates"),
        ({"scheme": "gradual+gradual"}, "gradual and gradual both set the unfreezing"),
        ({"scheme": "bert-alf-1+nesterov"}, "bert-alf-1 and nesterov both set the optimizer"),
        ({"scheme": "fixed+gradual"}, "fixed is the recipe as it is"),
    ],
)
def test_a_cell_that_cannot_be_fitted_is_refused_by_name_with_the_reason(cell, reason):
    refused(reason, cells=[{"scheme": "fixed"}, cell])


def test_nesterov_is_refused_where_it_changes_nothing():
    adamw = {"optimizer": {"kind": "adamw"}, "rates": {"kind": "uniform", "rate": 5e-5}}
    refused("nesterov sets the momentum of SGD, and recipe.optimizer is adamw", adamw, cells=[{"scheme": "nesterov"}])
    already = {"optimizer": {"kind": "sgd", "momentum": 0.9, "nesterov": True}}
    refused("the same as fixed", already, cells=[{"scheme": "nesterov"}])


def test_head_is_refused_where_the_head_has_no_rate():
    still = {"rates": {"kind": "uniform", "rate": 0.01, "head": 0}}
    refused("recipe.rates.head is 0", still, cells=[{"scheme": "head"}])


CONTRASTIVE = {"objective": {"kind": "contrastive"}, "pooling": "mean"}


@pytest.mark.parametrize("scheme", ["head", "feature_extraction", "gradual_from_head"])
@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ({"rates": {"kind": "uniform", "rate": 0.01, "head": 0}}, "recipe.rates.head is 0"),
        (CONTRASTIVE, "under recipe.objective it does not learn"),
    ],
)
def test_what_begins_with_the_head_alone_is_left_out_where_the_head_does_not_learn(scheme, recipe, reason):
    spec = spec_of(recipe, schemes=["fixed", scheme], adapters=["none"], curves=["constant"])
    assert len(cells(spec, spec.combinations, {}, N_LAYERS)) == spec.n_seeds
    assert reason in spec.left_out[f"{scheme}/none/constant"]
    refused(reason, recipe, cells=[{"scheme": scheme}])


def test_a_schedule_whose_recipe_cannot_be_fitted_is_refused_by_the_name_of_its_combination():
    spec = spec_of(cells=[{"scheme": "distilbert-alf-1"}], rescale=True)  # its AdamW at a rate for SGD
    with pytest.raises(InputError, match=r"^schemes: distilbert-alf-1/none/constant: rates must be at most 1e-4"):
        recipe_for("distilbert-alf-1", spec)
    own = published("distilbert-alf-1")
    head_only = own.model_copy(update={"recipe": own.recipe.with_rates(LayerRates.of(0.0, [0.0] * N_LAYERS, 1e-3))})
    spec = spec_of(CONTRASTIVE, cells=[{"scheme": "mine.json"}])
    with pytest.raises(InputError, match=r"^schemes: mine\.json/none/constant: rates must be above 0 at an address"):
        cells(spec, spec.combinations, {"mine.json": head_only}, N_LAYERS)


def test_an_adapter_is_refused_under_a_schedule_that_freezes_every_layer():
    frozen = published("distilbert-alf-1")
    rates = LayerRates.of(1e-5, [0.0] * N_LAYERS, 1e-3)
    frozen = frozen.model_copy(update={"recipe": frozen.recipe.with_rates(rates)})
    spec = spec_of(cells=[{"scheme": "mine.json", "adapter": "houlsby"}])
    with pytest.raises(InputError, match=r"must have a layer that learns, but mine\.json/houlsby/constant has none"):
        cells(spec, spec.combinations, {"mine.json": frozen}, N_LAYERS)


def test_an_exponential_curve_needs_a_second_epoch_somewhere():
    cell = {"scheme": "fixed", "curve": "exponential"}
    refused("there is only one epoch", {"epochs": 1}, cells=[cell])
    assert spec_of({"epochs": 1}, cells=[cell], epochs={"sst2": 2}).combinations


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        ({}, {"schemes": ["fixd"]}, r"schemes must be of fixed, nesterov, .* model@alias\), but got fixd"),
        ({}, {"schemes": ["fixed", "fixed"]}, "but got fixed/none/constant again"),
        ({}, {"schemes": ["head"], "adapters": ["lora"]}, "must combine, but got head/lora/constant"),
        ({}, {"epochs": {"cola": 3}}, "epochs must be of samples of this testbed, but got cola"),
        ({"rates": {"kind": "decayed", "rate": 0.01}}, {}, "recipe.rates must be uniform"),
        ({"unfreezing": {"kind": "gradual"}}, {}, "recipe.unfreezing must be immediate"),
        ({"curve": {"kind": "cosine"}}, {}, "recipe.curve must be constant"),
        ({"adapter": {"kind": "lora"}}, {}, "recipe.adapter must be left out"),
        ({"rates": {"kind": "uniform", "rate": 0, "head": 1e-3}}, {}, "recipe.rates.rate must be above 0"),
        (
            {},
            {"adapters": ["none"], "adapter_rate": 0.1},
            "adapter_rate must be left out where no adapter is listed, but got 0.1",
        ),
        ({}, {"schemes": ["gradual+"]}, r"but got gradual\+ "),
    ],
)
def test_a_fault_of_the_entry_is_refused_with_its_field(recipe, changes, message):
    refused(message, recipe, **changes)


def test_cells_run_under_the_same_seeds_and_each_sample_has_its_epochs():
    spec = spec_of(samples=["sst2", "cola"], epochs={"cola": 10}, schemes=["fixed", "gradual"], n_seeds=2)
    grid = cells(spec, spec.combinations, {}, N_LAYERS)
    assert len({cell.key for cell in grid}) == len(grid) == 2 * 2 * 2 * 2 * 2
    assert {(cell.sample, cell.recipe.epochs) for cell in grid} == {("sst2", 5), ("cola", 10)}
    assert {(cell.index, cell.seed) for cell in grid} == {(cell.index, cell.seed) for cell in grid[:2]}


def test_a_recipe_with_an_adapter_has_the_rates_of_adapters_and_head():
    adapted = Recipe.model_validate(spec_of().recipe.model_dump() | {"adapter": {"kind": "houlsby"}})
    listed = adapted.with_rates(LayerRates.of(1e-3, [0.0, 2e-3], 3e-3))
    assert listed.rates_at(2) == {"adapter.0": 0.0, "adapter.1": 2e-3, "head": 3e-3}
    assert listed.model_copy(update={"adapter": None}).rates_at(2) == dict(listed.rates.at(2))


def test_the_surveys_ten_rows_are_found_by_set_and_combination():
    spec = spec_of(adapters=["none", "houlsby", "lora"])
    by_name = {each.name: each for each in spec.combinations}
    assert {len(rows) for rows in TABLES.values()} == {10}
    assert published_scores("sst2-small", by_name[BASELINE]).accuracy == 0.907
    assert published_scores("cola", by_name["fixed/houlsby/slanted_triangular"]).loss == 0.407
    assert published_scores("cola", by_name["fixed/lora/constant"]) is None
    assert published_scores("imdb", by_name[BASELINE]) is None
