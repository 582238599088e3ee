"""Schemes by name: what each makes of a recipe, which combinations make sense, and what is refused."""

import json

import pytest
from pydantic import ValidationError

from finetune_alf.errors import InputError
from finetune_alf.experiments.schemes.cells import cells, recipe_of
from finetune_alf.experiments.schemes.combination import PLAIN
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
    asked = {"encoder": "tiny", "samples": ["sst2"], "recipe": RECIPE | (recipe or {}), **changes}
    return SchemesSpec.model_validate_json(json.dumps(asked))


def one(scheme, spec=None, n_layers=N_LAYERS, **cell):
    """Return the recipe of a single combination."""
    spec = spec or spec_of(cells=[{"scheme": scheme, **cell}])
    schedules = {name: published(name) for name in spec.schedules}
    return recipe_of(spec, spec.combinations[0], "sst2", schedules, n_layers)


def refused(match, recipe=None, **changes):
    with pytest.raises(ValidationError, match=match):
        spec_of(recipe, **changes)


def test_fixed_is_the_recipe_itself():
    assert one("fixed") == spec_of().recipe


def test_nesterov_differs_in_its_momentum_alone():
    assert one("nesterov") == one("fixed").model_copy(update={"optimizer": SGD(momentum=0.9, nesterov=True)})


def test_nesterov_keeps_a_momentum_and_decay_that_the_recipe_has():
    spec = spec_of({"optimizer": {"kind": "sgd", "momentum": 0.5, "weight_decay": 0.1}}, cells=[{"scheme": "nesterov"}])
    assert one("nesterov", spec).optimizer == SGD(momentum=0.5, nesterov=True, weight_decay=0.1)


def test_differential_rates_fall_by_2_6_from_layer_to_layer_towards_the_input():
    rates = one("differential").rates.at(N_LAYERS)
    assert (rates[layer(5)], rates[HEAD]) == (0.01, 0.02)
    ratios = [high / low for low, high in zip([rates[EMBEDDINGS], *rates.layers], rates.layers, strict=False)]
    assert ratios == pytest.approx([2.6] * N_LAYERS)


def test_layer_wise_decay_falls_by_its_factor():
    rates = one("decayed").rates.at(N_LAYERS)
    assert rates[layer(4)] == pytest.approx(0.95 * 0.01)


def test_gradual_unfreezing_keeps_the_rates_and_unfreezes():
    assert one("gradual") == one("fixed").model_copy(update={"unfreezing": GradualUnfreezing()})


def test_head_trains_the_head_alone():
    rates = one("head").rates.at(N_LAYERS)
    assert (rates[HEAD], set(rates.frozen)) == (0.02, {EMBEDDINGS, *map(layer, range(N_LAYERS))})


def test_schemes_joined_by_plus_act_together():
    both = one("differential+gradual", curve="slanted_triangular")  # all three ideas of ULMFiT
    assert both.rates == one("differential").rates
    assert both.unfreezing == GradualUnfreezing()
    assert both.curve.kind == "slanted_triangular"


def test_a_schedule_brings_its_rates_and_optimizer_and_leaves_the_rest():
    schedule = published("distilbert-alf-1")
    recipe = one("distilbert-alf-1", adapter="houlsby")
    assert recipe.rates.at(N_LAYERS) == schedule.rates
    assert recipe.optimizer == AdamW()
    assert (recipe.batch, recipe.epochs, recipe.max_tokens) == (32, 5, 48)
    assert recipe.adapter == HoulsbyAdapter()


def test_a_schedule_of_another_depth_is_refused():
    with pytest.raises(Exception, match="encoder of 12 layers"):
        one("distilbert-alf-1", n_layers=12)


def test_adapters_learn_at_their_own_rate_where_one_is_given():
    spec = spec_of(cells=[{"scheme": "differential", "adapter": "houlsby"}], adapter_rate=0.5)
    assert one("differential", spec).rates.at(N_LAYERS)[layer(5)] == 0.5
    assert one("differential", spec).rates.at(N_LAYERS)[HEAD] == 0.02
    both = spec_of(cells=[{"scheme": "fixed"}, {"scheme": "fixed", "adapter": "lora"}], adapter_rate=0.5)
    bare, _ = cells(both, {}, N_LAYERS)
    assert bare.recipe.rates == UniformRates(rate=0.01, head=0.02)


def test_under_adamw_adapters_may_learn_faster_than_an_encoder_may():
    adamw = {"optimizer": {"kind": "adamw"}, "rates": {"kind": "uniform", "rate": 5e-5}}
    spec = spec_of(adamw, cells=[{"scheme": "fixed", "adapter": "lora"}], adapter_rate=1e-3)
    assert one("fixed", spec).rates.highest == 1e-3
    refused("catastrophic forgetting", adamw | {"rates": {"kind": "uniform", "rate": 1e-3}})


def test_all_is_the_product_of_the_lists_without_what_makes_no_sense():
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
            "head/houlsby/constant does not: head leaves every layer frozen, and",
        ),
        ({"scheme": "gradual+head"}, r"gradual\+head/none/constant does not: head leaves every layer frozen, so that"),
        ({"scheme": "differential+decayed"}, "differential and decayed both set the rates"),
        ({"scheme": "gradual+gradual"}, "gradual and gradual both set the unfreezing"),
        ({"scheme": "bert-alf-1+nesterov"}, "bert-alf-1 and nesterov both set the optimizer"),
        ({"scheme": "fixed+gradual"}, "fixed is the recipe as it is"),
    ],
)
def test_a_cell_that_makes_no_sense_is_refused_by_name_with_the_reason(cell, reason):
    refused(reason, cells=[{"scheme": "fixed"}, cell])


def test_nesterov_is_refused_where_it_means_nothing():
    adamw = {"optimizer": {"kind": "adamw"}, "rates": {"kind": "uniform", "rate": 5e-5}}
    refused("nesterov is a momentum of SGD, and recipe.optimizer is adamw", adamw, cells=[{"scheme": "nesterov"}])
    already = {"optimizer": {"kind": "sgd", "momentum": 0.9, "nesterov": True}}
    refused("the same as fixed", already, cells=[{"scheme": "nesterov"}])


def test_the_head_alone_is_refused_where_it_has_no_rate():
    still = {"rates": {"kind": "uniform", "rate": 0.01, "head": 0}}
    refused("recipe.rates.head is 0", still, cells=[{"scheme": "head"}])


def test_an_adapter_is_refused_under_a_schedule_that_freezes_every_layer():
    frozen = published("distilbert-alf-1")
    rates = LayerRates.of(1e-5, [0.0] * N_LAYERS, 1e-3)
    frozen = frozen.model_copy(update={"recipe": frozen.recipe.with_rates(rates)})
    spec = spec_of(cells=[{"scheme": "mine.json", "adapter": "houlsby"}])
    with pytest.raises(InputError, match=r"must have a layer that learns, but mine\.json/houlsby/constant has none"):
        cells(spec, {"mine.json": frozen}, N_LAYERS)


def test_an_exponential_curve_needs_a_second_epoch_somewhere():
    cell = {"scheme": "fixed", "curve": "exponential"}
    refused("there is one epoch alone", {"epochs": 1}, cells=[cell])
    assert spec_of({"epochs": 1}, cells=[cell], epochs={"sst2": 2}).combinations


@pytest.mark.parametrize(
    ("recipe", "changes", "said"),
    [
        ({}, {"schemes": ["fixd"]}, r"schemes must be of fixed, nesterov, .* model@alias\), but got fixd"),
        ({}, {"schemes": ["fixed", "fixed"]}, "fixed/none/constant is named again"),
        ({}, {"schemes": ["head"], "adapters": ["lora"]}, "must leave something to do, but head/lora/constant"),
        ({}, {"epochs": {"cola": 3}}, "epochs must be of samples of this testbed, but got cola"),
        ({"rates": {"kind": "decayed", "rate": 0.01}}, {}, "recipe.rates must be uniform"),
        ({"unfreezing": {"kind": "gradual"}}, {}, "recipe.unfreezing must be immediate"),
        ({"curve": {"kind": "cosine"}}, {}, "recipe.curve must be constant"),
        ({"adapter": {"kind": "lora"}}, {}, "recipe.adapter must be left out"),
        ({"rates": {"kind": "uniform", "rate": 0}}, {}, "recipe.rates.rate must be above 0"),
        ({}, {"adapters": ["none"], "adapter_rate": 0.1}, "adapter_rate must go with an adapter, but none"),
        ({}, {"schemes": ["gradual+"]}, r"but got gradual\+ "),
    ],
)
def test_what_the_lists_say_is_not_said_twice_or_wrong(recipe, changes, said):
    refused(said, recipe, **changes)


def test_cells_run_under_the_same_seeds_and_each_sample_has_its_epochs():
    spec = spec_of(samples=["sst2", "cola"], epochs={"cola": 10}, schemes=["fixed", "gradual"], n_seeds=2)
    grid = cells(spec, {}, N_LAYERS)
    assert len({cell.key for cell in grid}) == len(grid) == 2 * 2 * 2 * 2 * 2
    assert {(cell.sample, cell.recipe.epochs) for cell in grid} == {("sst2", 5), ("cola", 10)}
    assert {(cell.index, cell.seed) for cell in grid} == {(cell.index, cell.seed) for cell in grid[:2]}


def test_an_adapted_cell_tells_the_rates_of_its_adapters_and_of_nothing_frozen():
    recipe = Recipe.model_validate(spec_of().recipe.model_dump() | {"adapter": {"kind": "houlsby"}})
    listed = recipe.with_rates(LayerRates.of(1e-3, [0.0, 2e-3], 3e-3))
    assert listed.rates_at(2) == {"adapter.0": 0.0, "adapter.1": 2e-3, "head": 3e-3}
    assert listed.model_copy(update={"adapter": None}).rates_at(2) == dict(listed.rates.at(2))


def test_the_surveys_ten_rows_stand_beside_ours_by_set_and_combination():
    spec = spec_of(adapters=["none", "houlsby", "lora"])
    by_name = {each.name: each for each in spec.combinations}
    assert {len(rows) for rows in TABLES.values()} == {10}
    assert published_scores("sst2-small", by_name[PLAIN]).accuracy == 0.907
    assert published_scores("cola", by_name["fixed/houlsby/slanted_triangular"]).loss == 0.407
    assert published_scores("cola", by_name["fixed/lora/constant"]) is None
    assert published_scores("imdb", by_name[PLAIN]) is None
