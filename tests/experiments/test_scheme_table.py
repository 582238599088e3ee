"""Schemes: what each name or map trains, by exact values, and what is refused."""

import pytest
from pydantic import TypeAdapter, ValidationError

from finetune_alf.errors import InputError, ScheduleError
from finetune_alf.experiments.scheme_checks import COMPARED_BY_NAME
from finetune_alf.experiments.scheme_spec import NAMES, AnyScheme, Schemes, schemes_named
from finetune_alf.experiments.scheme_table import SCHEME_TABLE, SchemeInputs, scheme_recipes, unregistered
from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, UniformRates, layer
from finetune_alf.recipe import (
    SGD,
    Contrastive,
    GradualUnfreezing,
    HoulsbyAdapter,
    LinearCurve,
    LoraAdapter,
    ProbeRecipe,
    Recipe,
    TfidfRecipe,
)
from finetune_alf.register import recommend
from finetune_alf.schedules.published import published

BASELINE = Recipe(rates=UniformRates(rate=5e-5, head=1e-3), epochs=4, batch=8, max_tokens=48)
PLAIN = BASELINE.model_dump(exclude={"rates"})
SCHEDULES = {"alf-1": published("distilbert-alf-1"), "alf-2": published("distilbert-alf-2")}


def read(*entries):
    return TypeAdapter(Schemes).validate_python(entries)


def recipe(entry, baseline=BASELINE, n_layers=6, schedules=SCHEDULES, single_rate=None):
    (found,) = scheme_recipes(read(entry), SchemeInputs(baseline, n_layers, schedules, single_rate)).values()
    return found


def changed(found):
    """The fields in which a recipe differs from the baseline, but for the rates."""
    return {name: value for name, value in found.model_dump(exclude={"rates"}).items() if value != PLAIN[name]}


def test_every_kind_is_in_the_table():
    assert set(SCHEME_TABLE) == set(AnyScheme.__args__)


def test_the_baseline_is_the_recipe_with_its_rates_written_out():
    assert changed(recipe("baseline")) == {}
    assert recipe("baseline").rates.at(6) == LayerRates.of(5e-5, [5e-5] * 6, 1e-3)


def test_feature_extraction_trains_only_the_head_at_the_baselines_rate():
    rates = recipe("feature_extraction").rates.at(6)
    assert rates.frozen == (EMBEDDINGS, *(layer(i) for i in range(6)))
    assert rates[HEAD] == 1e-3
    assert changed(recipe("feature_extraction")) == {"frozen_dropout": "off", "pooler": "frozen"}


def test_layer_wise_decay_starts_from_the_baselines_rate_at_the_top_or_from_its_own():
    rates = recipe("decayed").rates.at(6)
    assert (rates[layer(5)], rates[HEAD]) == (5e-5, 1e-3)
    assert rates[EMBEDDINGS] == pytest.approx(5e-5 * 0.95**6)
    own = recipe({"kind": "decayed", "rate": 1e-4, "factor": 0.5}, n_layers=2).rates.at(2)
    assert [*own.values()] == pytest.approx([2.5e-5, 5e-5, 1e-4, 1e-3])


def test_uniform_is_the_best_single_rate_or_a_rate_of_its_own():
    assert recipe("uniform", n_layers=2, single_rate=1e-5).rates.at(2) == LayerRates.of(1e-5, [1e-5] * 2, 1e-3)
    assert recipe({"kind": "uniform", "rate": 1e-4}, n_layers=1).rates.at(1) == LayerRates.of(1e-4, [1e-4], 1e-3)
    with pytest.raises(InputError, match="searched no single rate"):
        recipe("uniform")


def test_a_registered_schedule_is_run_with_its_own_recipe_and_rates():
    assert recipe("alf-1") == SCHEDULES["alf-1"].recipe
    assert recipe("alf-2").rates.at(6) == LayerRates.of(2e-6, [2e-10, 2e-10, 2e-10, 2e-8, 2e-10, 2e-5], 2e-5)
    with pytest.raises(ScheduleError, match="encoder of 12 layers"):
        recipe("alf-1", n_layers=12)


def test_any_schedule_brings_what_it_was_found_with_and_the_baseline_the_sizes():
    schedule = published("bert-alf-1")
    found = {
        "rates": schedule.recipe.rates,
        "optimizer": SGD(momentum=0.5),
        "curve": LinearCurve(warmup_frac=0.1),
        "unfreezing": GradualUnfreezing(),
        "adapter": HoulsbyAdapter(width=3),
    }
    schedule = schedule.model_copy(update={"recipe": schedule.recipe.model_copy(update=found)})
    one = recipe("bert-alf-1", n_layers=12, schedules={"bert-alf-1": schedule})
    assert {name: getattr(one, name) for name in found} == found
    assert (one.epochs, one.batch, one.max_tokens, one.clip) == (4, 8, 48, 1.0)


def test_a_schedule_is_stretched_to_another_depth_where_that_is_asked_for():
    entry = {"kind": "schedule", "of": "bert-alf-1"}
    schedules = {"bert-alf-1": published("bert-alf-1")}
    with pytest.raises(ScheduleError, match="encoder of 6 layers"):
        recipe(entry, schedules=schedules)
    stretched = recipe({**entry, "stretch": True}, schedules=schedules)
    assert stretched.rates.at(6) == schedules["bert-alf-1"].rates.stretch(6)


@pytest.mark.parametrize(
    ("entry", "adapter", "rate"),
    [
        ("lora", LoraAdapter(), 5e-4),
        ("houlsby", HoulsbyAdapter(), 3e-4),
        ({"kind": "lora", "rank": 2, "alpha": 4.0, "rate": 1e-2}, LoraAdapter(rank=2, alpha=4.0), 1e-2),
        ({"kind": "houlsby", "width": 4, "activation": "relu"}, HoulsbyAdapter(width=4, activation="relu"), 3e-4),
    ],
)
def test_adapters_learn_at_one_rate_in_every_layer(entry, adapter, rate):
    found = recipe(entry, n_layers=2)
    assert (found.adapter, found.rates.at(2).layers, found.rates.at(2)[HEAD]) == (adapter, (rate, rate), 1e-3)
    assert set(changed(found)) == {"adapter"}


def test_contrastive_is_setfit_with_its_authors_settings():
    found = recipe("contrastive", n_layers=2)
    assert found.rates.at(2) == LayerRates.of(2e-5, [2e-5, 2e-5], 0.0)
    assert (found.epochs, found.batch, found.pooling, found.curve) == (1, 16, "mean", LinearCurve(warmup_frac=0.1))
    assert (found.objective, found.max_tokens) == (Contrastive(n_pairs=40, positive_frac=0.5), 48)
    assert recipe({"kind": "contrastive", "n_pairs": 4, "rate": 5e-5}).objective.n_pairs == 4
    with pytest.raises(InputError, match="rate must be at most"):
        recipe({"kind": "contrastive", "rate": 5e-4})


def test_contrastive_goes_through_its_pairs_once_with_all_layers_whatever_the_epochs_of_the_baseline():
    slow = BASELINE.model_copy(update={"steps_per_epoch": 3, "unfreezing": GradualUnfreezing()})
    assert recipe("contrastive", slow) == recipe("contrastive")


def test_linear_schemes_have_the_baselines_texts():
    assert recipe("probe") == ProbeRecipe(pooling="mean", max_tokens=48)
    assert recipe({"kind": "probe", "pooling": "first", "n_folds": 3}) == ProbeRecipe(
        pooling="first", max_tokens=48, n_folds=3
    )
    assert recipe({"kind": "tfidf", "longest_ngram": 2}) == TfidfRecipe(longest_ngram=2)


@pytest.mark.parametrize("entry", [{"kind": "uniform", "rate": 4e-4}, {"kind": "decayed", "rate": 4e-4}])
def test_a_rate_that_forgets_is_refused_unless_the_baseline_allows_it(entry):
    with pytest.raises(InputError, match=r"rate must be at most 1e-4 .* but got 4e-4"):
        recipe(entry)
    allowed = BASELINE.model_copy(update={"allow_forgetting": True})
    assert recipe(entry, allowed).rates.highest == 4e-4


def test_schemes_are_called_by_kind_schedule_or_a_name_of_their_own():
    named = read("decayed", {"kind": "decayed", "name": "steep"}, "bert-alf-1", "a/b.json", "alf-demo.minilm@alf-1")
    assert [each.label for each in named] == ["decayed", "steep", "bert-alf-1", "b", "alf-demo.minilm@alf-1"]


def test_a_file_that_is_called_like_a_kind_is_no_scheme_of_that_kind():
    named = read("baseline", "alf-1", "kept/alf-1.json", "uniform.yaml", {"kind": "schedule", "of": "baseline.json"})
    assert [each.label for each in named] == ["baseline", "alf-1", "alf-1.json", "uniform.yaml", "baseline.json"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["baselin"], "must be one of baseline, .* or a schedule, but got baselin \\(did you mean baseline"),
        (["bert-alf-3"], "but got bert-alf-3 \\(did you mean bert-alf-"),
        ([{"kind": "schedule", "of": "bert-alf"}], "must be a schedule .* but got bert-alf"),
        ([{"rate": 1e-4}], "must name its kind, one of baseline, .* but got rate"),
        (["decayed", {"kind": "decayed", "rate": 1e-4}], "must have different names, but got decayed again"),
        ([{"kind": "tfidf", "name": "uniform"}], "the name of another kind, but got uniform for tfidf"),
        (["a/b c.json"], "must have names of letters, .* but got b c"),
    ],
)
def test_what_is_unknown_or_ambiguous_is_refused(entries, message):
    with pytest.raises(ValidationError, match=message):
        read(*entries)


def test_a_name_stands_for_the_map_with_its_defaults():
    assert schemes_named(*(name for name in NAMES)) == read(*({"kind": name} for name in NAMES))


def test_a_schedule_that_was_not_registered_is_left_out():
    inputs = SchemeInputs(BASELINE, 6, {"alf-1": SCHEDULES["alf-1"]})
    schemes = read("baseline", "alf-1", "alf-2")
    assert list(scheme_recipes(schemes, inputs)) == ["baseline", "alf-1"]
    assert unregistered(schemes, inputs.schedules) == ["alf-2"]


def test_a_scheme_by_which_nothing_learns_is_refused_before_it_is_fitted():
    baseline = BASELINE.model_copy(update={"rates": UniformRates(rate=5e-5, head=0.0)})
    assert recipe("baseline", baseline).rates.highest == 5e-5
    with pytest.raises(InputError, match="scheme feature_extraction: rates must be above 0 at an address that learns"):
        recipe("feature_extraction", baseline)


def test_the_kinds_that_others_are_compared_with_are_those_of_recommendations():
    assert COMPARED_BY_NAME == (recommend.BASELINE, recommend.PRIMARY, recommend.UNIFORM)
