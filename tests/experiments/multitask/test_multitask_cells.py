"""The cells of a multi-task experiment as recipes, and the table of their scores and costs."""

import pytest
from pydantic import ValidationError

from fake_results import fake_result
from finetune_alf.experiments.multitask.cells import Cell, cell_line, cells
from finetune_alf.experiments.multitask.published import PUBLISHED
from finetune_alf.experiments.multitask.spec import MultitaskSpec, merge
from finetune_alf.experiments.multitask.table import cells_table, majority_baselines
from finetune_alf.metrics import sample_metric
from finetune_alf.rates import FrozenBelow, UniformRates
from finetune_alf.recipe import LoraAdapter, Recipe, TaskSpec, TasksSpec
from finetune_alf.recipe.tasks import RoundRobin
from finetune_alf.stats import NO_EVIDENCE, TOO_FEW_SEEDS
from finetune_alf.train.result import EpochMetrics, TaskResult

RECIPE = Recipe(rates=FrozenBelow(n_frozen=1, rate=2e-5), epochs=2, batch=8, max_tokens=16, tasks=TasksSpec())
VARY = {
    "all": {"rates": {"kind": "uniform", "rate": 1e-5}},
    "top-1": {},
    "dropout-0.5": {"tasks": {"heads": {"dropout": 0.5}, "each": {"b": {"pairs": "apart"}}}},
    "turns": {"epochs": 3, "tasks": {"sampling": {"kind": "round_robin"}}},
}
TRUTHS = {"a": (0, 1, 2, 0, 1, 2), "b": (0.0, 1.0, 2.0, 3.0)}
METRICS = {"a": sample_metric("accuracy", 3), "b": sample_metric("pearson", 0)}
PREDICTIONS = {"a": (0, 1, 2, 1, 1, 2), "b": (0.5, 0.5, 2.0, 2.5)}


def spec(**changes):
    entry = {"encoder": "tiny", "sample": "mix", "recipe": RECIPE, "vary": VARY, "baseline": "all"}
    return MultitaskSpec(**(entry | changes))


def result(seconds=2.0, predictions=PREDICTIONS, *, diverged=False):
    tasks = {
        task: TaskResult(metric=METRICS[task].name, score=METRICS[task](TRUTHS[task], row), loss=1.0, predictions=row)
        for task, row in predictions.items()
    }
    epochs = tuple(
        EpochMetrics(
            epoch=epoch,
            train_loss=1.0,
            validation_loss=1.0,
            validation_accuracy=None,
            validation_score=0.25 * (epoch + 1),
            seconds=1.0,
            ended_ms=0,
        )
        for epoch in range(2)
    )
    return fake_result(
        epochs=epochs,
        kept_epoch=1,
        score=TasksSpec().overall_score(
            {task: each.score for task, each in tasks.items()}, {task: each.metric for task, each in tasks.items()}
        ),
        loss=1.0,
        tasks=tasks,
        stopped="diverged" if diverged else "epochs",
        seconds=seconds,
        n_trainable_parameters=10,
    )


def table_of(fits, **changes):
    """The table of these fits, of cells with 20 parameters."""
    return cells_table(spec(**changes), TRUTHS, METRICS, fits, dict.fromkeys(fits, 20))


def test_a_cell_is_the_recipe_with_its_changes():
    recipes = spec().recipes()
    assert recipes["top-1"] == RECIPE
    assert recipes["all"] == RECIPE.model_copy(update={"rates": UniformRates(rate=1e-5)})
    assert recipes["turns"].tasks.sampling == RoundRobin()
    assert recipes["turns"].epochs == 3
    changed = recipes["dropout-0.5"].tasks
    assert (changed.heads.dropout, changed.heads.n_common_layers) == (0.5, 1)
    assert changed.each == {"b": TaskSpec(pairs="apart")}


def test_maps_merge_and_another_kind_replaces():
    common = {"a": {"kind": "x", "p": 1, "q": [1, 2]}, "b": {"c": {"d": 1}}}
    assert merge(common, {"a": {"p": 2}}) == {**common, "a": {"kind": "x", "p": 2, "q": [1, 2]}}
    assert merge(common, {"a": {"kind": "x", "q": [3]}})["a"] == {"kind": "x", "p": 1, "q": [3]}
    assert merge(common, {"a": {"kind": "y"}})["a"] == {"kind": "y"}
    assert merge(common, {"b": {"c": {"e": 2}}})["b"] == {"c": {"d": 1, "e": 2}}
    assert merge(common, {"b": None})["b"] is None
    assert common["a"]["p"] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline": "none"}, "baseline must be one of the cells all, top-1"),
        ({"recipe": RECIPE.model_copy(update={"tasks": None})}, "recipe.tasks must be given"),
        ({"vary": {"all": {"rates": {"n_frozn": 2}}}}, r"vary\.all\.rates.*n_frozn must make a valid recipe"),
        ({"vary": {"all": {"rates": {"rate": 1.0}}}}, "vary.all must make a valid recipe.*at most 1e-4"),
        ({"vary": {"all": {"tasks": None}}}, r"vary\.all\.tasks must be a map, but got null"),
        ({"vary": {"all": {"tasks": {"overall": "mean"}}}}, r"vary\.all\.tasks\.overall must be the recipe's, norm"),
        (
            {"vary": {"all": {"tasks": {"each": {"a": {"metric": "f1"}}}}}},
            r"each\.a\.metric must be the recipe.s, the default, but got f1",
        ),
    ],
)
def test_a_cell_without_a_valid_recipe_is_refused_by_name(changes, message):
    with pytest.raises(ValidationError, match=message):
        spec(**changes)


def test_all_cells_are_fitted_under_the_same_seeds():
    grid = cells(spec(n_seeds=3))
    assert len(grid) == 4 * 3
    seeds = {}
    for cell in grid:
        seeds.setdefault(cell.name, []).append(cell.seed)
    assert len({tuple(by_index) for by_index in seeds.values()}) == 1
    assert len(set(seeds["all"])) == 3


def test_scores_are_means_over_seeds_with_their_intervals():
    worse = {**PREDICTIONS, "a": (2, 2, 2, 2, 2, 2)}
    row = table_of({"all": {1: result(), 2: result()}, "top-1": {1: result(1.0), 2: result(1.0, worse)}})["top-1"]
    accuracy, pearson = (5 / 6 + 2 / 6) / 2, METRICS["b"](TRUTHS["b"], PREDICTIONS["b"])
    assert row.scores.tasks["a"].mean == pytest.approx(accuracy)
    assert row.scores.tasks["b"].mean == pytest.approx(pearson)
    assert row.scores.overall.mean == pytest.approx((accuracy + (pearson + 1) / 2) / 2)
    assert row.scores.overall.low <= row.scores.overall.mean <= row.scores.overall.high
    assert row.scores.validation == pytest.approx(0.5)
    assert (row.n_seeds, row.n_parameters) == (2, 20)


def test_time_saved_score_kept_and_difference_are_relative_to_the_baseline():
    worse = {**PREDICTIONS, "a": (0, 1, 2, 1, 2, 0)}
    table = table_of({"all": {1: result(4.0)}, "top-1": {1: result(1.0, worse)}, "turns": {1: result(5.0)}})
    baseline, top, turns = table["all"], table["top-1"], table["turns"]
    assert baseline.time_saved is baseline.score_kept is baseline.difference is None
    assert top.time_saved == pytest.approx(0.75)
    assert top.score_kept == pytest.approx(top.scores.overall.mean / baseline.scores.overall.mean)
    assert top.difference.mean == pytest.approx(top.scores.overall.mean - baseline.scores.overall.mean)
    assert top.difference.mean < 0
    # the same predictions on the same texts: their difference has no noise
    assert (turns.difference.mean, turns.difference.low, turns.difference.high, turns.difference.p) == (0, 0, 0, 1)
    assert top.difference.verdict == TOO_FEW_SEEDS
    assert turns.time_saved == pytest.approx(-0.25)


def test_every_cell_is_judged_against_the_baseline_by_the_overall_score_corrected_over_the_cells():
    half = {**PREDICTIONS, "a": (0, 1, 0, 1, 0, 1)}
    seeds = range(5)
    table = table_of(
        {
            "all": {seed: result(predictions=half) for seed in seeds},
            "top-1": {seed: result() for seed in seeds},
            "turns": {seed: result(predictions=half) for seed in seeds},
        }
    )
    better, equal = table["top-1"].difference, table["turns"].difference
    assert better.p_holm == pytest.approx(min(1.0, 2 * better.p))
    assert (equal.p_holm, equal.verdict) == (1.0, NO_EVIDENCE)
    assert better.mean == pytest.approx(table["top-1"].scores.overall.mean - table["all"].scores.overall.mean)
    assert table["all"].difference is None


def test_a_baseline_with_a_score_of_0_has_no_share_to_keep():
    lowest = RECIPE.model_copy(update={"tasks": TasksSpec(overall="lowest")})
    wrong = {**PREDICTIONS, "a": (1, 2, 0, 1, 2, 0)}
    table = table_of({"all": {1: result(4.0, wrong)}, "top-1": {1: result(1.0)}}, recipe=lowest)
    assert table["all"].scores.overall.mean == 0.0
    assert (table["top-1"].score_kept, table["top-1"].time_saved) == (None, 0.75)
    assert table["top-1"].difference.mean > 0


def test_a_cells_line_has_the_rates_of_what_learns():
    lora = RECIPE.model_copy(update={"adapter": LoraAdapter()})
    assert cell_line(Cell("lora", lora, 0, 1), result(), 2).rates == {"adapter.0": 0.0, "adapter.1": 2e-5, "head": 2e-5}
    plain = cell_line(Cell("plain", RECIPE, 0, 1), result(), 2)
    assert set(plain.rates) == {"embeddings", "layer.0", "layer.1", "head"}


def test_a_diverged_fit_is_counted_and_left_out():
    fits = {"all": {1: result(), 2: result()}, "top-1": {1: result(diverged=True), 2: result()}}
    fits["turns"] = {1: result(diverged=True), 2: result(diverged=True)}
    table = table_of(fits)
    assert (table["top-1"].n_seeds, table["top-1"].n_diverged, table["top-1"].difference.mean) == (1, 1, 0.0)
    assert (table["turns"].n_diverged, table["turns"].scores, table["turns"].difference) == (2, None, None)
    assert table_of(fits, baseline="turns")["all"].time_saved is None


def test_majority_baselines_are_scores_of_one_prediction_for_all_texts():
    assert majority_baselines(TasksSpec(), {"a": (0, 0, 1), "b": (1.0, 2.0, 4.0)}, METRICS) == {
        "a": pytest.approx(2 / 3),
        "b": 0.0,
        "overall": pytest.approx((2 / 3 + 0.5) / 2),
    }


def test_published_overall_scores_are_the_normalised_mean_of_their_parts():
    metrics = {"sst5": "accuracy", "quora": "accuracy", "sts": "pearson"}
    for name, row in PUBLISHED.items():
        parts = {task: row.of(task) for task in metrics}
        # the paper's own rows agree with its definition to .0021 at worst: parts may be of other epochs
        assert TasksSpec().overall_score(parts, metrics) == pytest.approx(row.overall, abs=2.2e-3), name


@pytest.mark.parametrize(("n_classes", "f1"), [(2, 6 / 7), (3, (4 / 5 + 6 / 7) / 2)])
def test_f1_of_a_task_is_over_its_samples_classes(n_classes, f1):
    truths, predictions = TRUTHS | {"a": (0, 0, 0, 1, 1, 1)}, PREDICTIONS | {"a": (0, 0, 1, 1, 1, 1)}
    metrics = METRICS | {"a": sample_metric("f1", n_classes)}
    fits = {"all": {1: result(predictions=predictions)}, "top-1": {1: result(predictions=predictions)}}
    table = cells_table(spec(), truths, metrics, fits, dict.fromkeys(fits, 20))
    assert table["top-1"].scores.tasks["a"].metric == "f1"
    assert table["top-1"].scores.tasks["a"].mean == pytest.approx(f1)
    assert majority_baselines(TasksSpec(), TRUTHS | {"a": (1, 1, 0, 1)}, metrics)["a"] == pytest.approx(
        {2: 6 / 7, 3: 3 / 7}[n_classes]
    )
