"""The cells of a transfer: which fits they are, by exact values."""

from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.experiments.scheme_spec import schemes_named
from finetune_alf.experiments.scheme_table import SchemeInputs, scheme_recipes
from finetune_alf.experiments.transfer.cells import cell_job, cells
from finetune_alf.rates import LayerRates, UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.schedules.published import published

BASELINE = Recipe(rates=UniformRates(rate=4e-5, head=1e-3), epochs=3, batch=8, max_tokens=32)
ENCODER = RandomEncoder(kind="random", config={"model_type": "bert"}, seed=0)
SCHEDULE = published("bert-alf-1")
RECIPES = scheme_recipes(
    schemes_named("feature_extraction", "baseline", "alf-1", "decayed"), SchemeInputs(BASELINE, 12, {"alf-1": SCHEDULE})
)


def test_schemes_differ_in_their_rates():
    layers = [4e-5 * 0.95 ** (11 - index) for index in range(12)]
    assert {scheme: recipe.rates.at(12) for scheme, recipe in RECIPES.items()} == {
        "feature_extraction": LayerRates.of(0, [0] * 12, 1e-3),
        "baseline": LayerRates.of(4e-5, [4e-5] * 12, 1e-3),
        "alf-1": SCHEDULE.rates,
        "decayed": LayerRates.of(layers[0] * 0.95, layers, 1e-3),
    }


def test_every_scheme_has_the_same_seeds():
    grid = cells(RECIPES, 3, seed=1)
    assert [cell.key for cell in grid] == [f"{scheme}/seed-{index}" for scheme in RECIPES for index in range(3)]
    seeds = {scheme: [cell.seed for cell in grid if cell.scheme == scheme] for scheme in RECIPES}
    assert len({tuple(own) for own in seeds.values()}) == 1
    assert len(set(seeds["baseline"])) == 3
    assert set(seeds["baseline"]).isdisjoint(cell.seed for cell in cells(RECIPES, 3, seed=2))


def test_a_cell_is_scored_on_the_test_split_by_the_studys_metric():
    (cell,) = cells({"baseline": RECIPES["baseline"]}, 1, seed=1)
    job = cell_job(cell, ENCODER, "5a" * 32, "bf16", "matthews")
    assert (job.recipe, job.sample, job.seed) == (RECIPES["baseline"], "5a" * 32, cell.seed)
    assert (job.score_on, job.precision, job.metric) == ("test", "bf16", "matthews")
