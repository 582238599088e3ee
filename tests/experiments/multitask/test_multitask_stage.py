"""Stage `multitask`, and a study over a mixture: cells, document, MLflow, schedules, refused parameters."""

import shutil

import pytest

from finetune_alf.errors import InputError, ParamsError
from finetune_alf.experiments.multitask.cells import MultitaskLine
from finetune_alf.experiments.multitask.document import MultitaskDocument
from finetune_alf.experiments.multitask.experiment import MULTITASK
from finetune_alf.experiments.multitask.page import multitask_part
from finetune_alf.experiments.multitask.planned import SHARED_NOTE
from finetune_alf.experiments.multitask.stage import multitask
from finetune_alf.experiments.registry import load_params
from finetune_alf.json_files import read_json, read_jsonl
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import plan
from finetune_alf.recipe import TasksSpec
from finetune_alf.register.lock import read_lock
from finetune_alf.running.context import Context
from finetune_alf.running.parent_run import open_tracker
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.study import study
from small_project import PARAMS, RecordingConsole

MIX = """
  mix:
    tasks:
      films:
        source: {kind: mini, domain: films}
        n_train: 24
        n_validation: 16
        n_confirmation: 16
        n_test: 20
      same:
        source: {kind: files, train: same.csv, text: [one, other], label: is_same}
        n_train: 16
        n_validation: 8
        n_confirmation: 8
        n_test: 12
        max_train_frac: 0.5
      like:
        source: {kind: files, train: like.csv, text: [one, other], label: score}
        problem_type: regression
        n_train: 16
        n_validation: 8
        n_confirmation: 8
        n_test: 12
        max_train_frac: 0.5
studies:
  mixed:
    encoder: tiny
    sample: mix
    space: {kind: choices, rates: [0, 1e-4, 1e-3, 1e-2]}
    seed: 3
    n_trials: 4
    recipe: &recipe
      RECIPE
"""
RECIPE = """rates: {kind: frozen_below, n_frozen: 1, rate: 1e-2, head: 1e-2}
      curve: {kind: exponential}
      allow_forgetting: true
      keep: best
      batch: 8
      epochs: 2
      max_tokens: 16
      tasks:
        sampling: {kind: round_robin}
        each: {same: {pairs: apart, loss: binary_cross_entropy, metric: f1}}"""
EXPERIMENTS = f"""
multitask:
  top:
    encoder: tiny
    sample: mix
    baseline: all
    n_seeds: 2
    recipe:
      {RECIPE}
    vary:
      all: {{rates: {{kind: uniform, rate: 1e-2}}}}
      top-1: {{}}
  shape:
    encoder: tiny
    sample: mix
    baseline: dropout-0.3
    n_seeds: 1
    recipe:
      {RECIPE}
    vary:
      dropout-0.3: {{}}
      like-apart: {{tasks: {{sampling: {{kind: joint}}, each: {{like: {{pairs: apart, n_layers: 2}}}}}}}}
      head: {{rates: {{n_frozen: all}}, frozen_dropout: "off"}}
"""
TASKS = {"films": "accuracy", "same": "f1", "like": "pearson"}
WORDS = ("warm", "cold", "fine", "grim", "kind", "sad", "meal", "day", "bread", "people")


def rows(label):
    words = [(WORDS[i % 10], WORDS[(i * 3 + i // 10) % 10], WORDS[(i * 7 + 1) % 10]) for i in range(48)]
    return "".join(f"{a} {b} {i},{a} {c} {i},{label(i)}\n" for i, (a, b, c) in enumerate(words))


def params():
    mixture = MIX.replace("&recipe", "").replace("RECIPE", RECIPE).strip("\n")
    return PARAMS.replace("studies:\n  tiny:", f"{mixture}\n  tiny:") + EXPERIMENTS


def context(root):
    return Context(load_params(root / "params.yaml"), Paths(root), RecordingConsole())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root = tmp_path_factory.mktemp("mix")
    (root / "params.yaml").write_text(params())
    (root / "same.csv").write_text("one,other,is_same\n" + rows(lambda i: i % 2))
    (root / "like.csv").write_text("one,other,score\n" + rows(lambda i: (i * 5 % 11) / 2))
    ctx = context(root)
    prepare(ctx, "mix")
    study(ctx, "mixed")
    register(ctx, "mixed")
    for name in ("top", "shape"):
        multitask(ctx, name)
    return ctx


@pytest.fixture
def copied(done, tmp_path):
    shutil.copytree(done.paths.root, tmp_path / "copy")
    return context(tmp_path / "copy")


def cells_of(ctx, name):
    return MultitaskLine.read_lines(ctx.paths.cells("multitask", name))


def document_of(ctx, name):
    return MultitaskDocument.read(ctx.paths.document("multitask", name))


def test_every_cell_is_a_line_with_the_score_of_each_task(done):
    for name, n_cells in (("top", 4), ("shape", 3)):
        cells = cells_of(done, name)
        assert len({(cell.cell, cell.seed) for cell in cells}) == len(cells) == n_cells
        for cell in cells:
            assert {task: line.metric for task, line in cell.tasks.items()} == TASKS
            scores = {task: line.score for task, line in cell.tasks.items()}
            assert cell.score == pytest.approx(TasksSpec().overall_score(scores, TASKS))
            by_epoch = [epoch.validation_score for epoch in cell.epochs]
            assert by_epoch[cell.kept_epoch] == max(by_epoch)
            assert set(cell.epochs[0].tasks) == set(TASKS)


def test_the_document_has_scores_and_costs_of_each_cell(done):
    document, cells = document_of(done, "top"), cells_of(done, "top")
    for name, row in document.cells.items():
        lines = [cell for cell in cells if cell.cell == name]
        assert row.scores.overall.mean == pytest.approx(sum(line.score for line in lines) / 2)
        for task in TASKS:
            mean = sum(line.tasks[task].score for line in lines) / 2
            assert row.scores.tasks[task].mean == pytest.approx(mean, abs=1e-9)
    everything, top = document.cells["all"], document.cells["top-1"]
    assert everything.scores.n_trainable_parameters == everything.n_parameters == top.n_parameters
    assert top.scores.n_trainable_parameters < everything.scores.n_trainable_parameters
    assert everything.time_saved is None
    assert top.time_saved == pytest.approx(1 - top.scores.seconds / everything.scores.seconds)
    assert document.sample.counts["test"] == {"films": 20, "same": 12, "like": 12}
    shape, width = document_of(done, "shape").cells, 16
    apart = width * width + width + width  # a hidden layer, and as many inputs again
    assert shape["like-apart"].n_parameters == shape["dropout-0.3"].n_parameters + apart


def test_the_page_is_made_of_what_the_stage_wrote(done):
    text = multitask_part(done.paths).section.markdown
    (score_row, _) = [line for line in text.splitlines() if line.startswith("| `top-1` |")]
    mean = document_of(done, "top").cells["top-1"].scores.overall.mean
    assert f"{mean:.3f}".lstrip("0") in score_row


def test_a_cell_of_two_experiments_is_fitted_once(done):
    by_seed = {cell.seed: cell for cell in cells_of(done, "top") if cell.cell == "top-1"}
    (baseline,) = (cell for cell in cells_of(done, "shape") if cell.cell == "dropout-0.3")
    assert baseline.model_copy(update={"cell": "top-1"}) == by_seed[baseline.seed]
    finished = [line for line in done.paths.ledger("multitask").read_text().splitlines() if line]
    assert len(finished) == 4 + 3 - 1


def test_mlflow_has_a_nested_run_for_each_cell_with_each_tasks_score(done):
    tracker = open_tracker(done)
    search = tracker.client.search_runs
    (parent,) = search([tracker.experiment_id], "tags.`alf.multitask` = 'top'")
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics.keys() >= {"score/all/overall", "score/top-1/overall", "score/all/overall.low"}
    nested = search([tracker.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    cells = {(cell.cell, str(cell.seed)): cell for cell in cells_of(done, "top")}
    assert {(run.data.tags["alf.cell"], run.data.tags["alf.seed"]) for run in nested} == set(cells)
    for run in nested:
        cell = cells[run.data.tags["alf.cell"], run.data.tags["alf.seed"]]
        assert run.data.metrics["score/test.overall"] == pytest.approx(cell.score)
        for task, metric in TASKS.items():
            assert run.data.metrics[f"score/test.{task}.{metric}"] == pytest.approx(cell.tasks[task].score)


def test_a_finished_experiment_is_planned_with_the_time_that_its_fits_took(done, quick_probes):
    planned = plan(done, MULTITASK, "top")
    assert [(stage.stage, stage.n_fits, stage.elapsed.n_fits) for stage in planned.stages] == [
        ("all", 2, 2),
        ("top-1", 2, 2),
    ]
    for stage in planned.stages:
        assert stage.elapsed_predicted_s == pytest.approx(stage.seconds)
        assert stage.ratio == stage.elapsed.seconds / stage.elapsed_predicted_s
    everything, top = planned.stages
    assert top.fit_flops < everything.fit_flops
    assert SHARED_NOTE in planned.notes  # a cell of both experiments is counted in both


def test_running_it_again_fits_nothing_and_changes_nothing(copied):
    paths = [copied.paths.ledger("multitask"), *copied.paths.experiment("multitask").iterdir()]
    before = [path.read_bytes() for path in paths]
    multitask(copied, "top")
    assert [path.read_bytes() for path in paths] == before


def test_schedules_of_a_mixture_are_searched_confirmed_and_registered(done):
    record = read_json(done.paths.study_results("mixed") / "study.json")
    assert record["metric"] == "overall"
    assert record["sample"]["counts"]["train"] == {"films": 24, "same": 16, "like": 16}
    best = read_json(done.paths.study_results("mixed") / "best.json")
    trials = read_jsonl(done.paths.study_results("mixed") / "trials.jsonl")
    assert best["score"] == max(trial["score"] for trial in trials)
    assert all(set(trial["result"]["tasks"]) == set(TASKS) for trial in trials)
    lock = read_lock(done.paths.schedules("mixed"))
    assert lock.references.baseline.rates == done.params.studies["mixed"].recipe.rates.at(2)
    for candidate in lock.candidates:
        expected = candidate.mean - lock.references.baseline.mean, candidate.mean - lock.references.single_rate.mean
        assert (candidate.from_baseline.mean, candidate.from_single_rate.mean) == pytest.approx(expected)
    for locked in lock.schedules.values():
        schedule = locked.schedule
        assert schedule.recipe.tasks == done.params.studies["mixed"].recipe.tasks
        assert schedule.confirmed.metric == "overall"
        assert schedule.confirmed.low <= schedule.confirmed.mean <= schedule.confirmed.high
        assert schedule.confirmed.n_texts == 16 + 8 + 8


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "  top:\n    encoder: tiny\n    sample: mix",
            "  top:\n    encoder: tiny\n    sample: mxi",
            "multitask.top.sample",
        ),
        ("each: {same:", "each: {sme:", r"tasks\.each\.sme.*must be an entry of samples.mix.tasks"),
        ("studies: [tiny]", "studies: [mixed]", "must name studies of one task, but that of mixed is a mixture"),
        ("samples: [films, travel]", "samples: [films, mix]", "must name what has one task, but mix is a mixture"),
        ("n_test: 20", "n_test: 0", r"samples\.mix\.tasks\.films\.n_test: must be above 1, since multitask\.top"),
        ("n_validation: 16", "n_validation: 0", r"tasks\.films\.n_validation: must be above 0, since studies\.mixed"),
    ],
)
def test_parameters_that_disagree_are_refused_with_their_path(tmp_path, old, new, message):
    text = params()
    assert old in text
    (tmp_path / "params.yaml").write_text(text.replace(old, new))
    with pytest.raises(ParamsError, match=message):
        context(tmp_path)


def test_a_recipe_that_does_not_suit_its_tasks_is_refused_before_anything_is_fitted(copied, tmp_path):
    for old, new, message in (
        (
            "metric: f1",
            "metric: pearson",
            r"same\.metric: must be accuracy or .*, as the labels of same are classes, but got pearson",
        ),
        (
            "{same: {pairs: apart, loss: binary_cross_entropy,",
            "{same: {loss: squared_error,",
            r"each\.same\.loss: must be cross_entropy or .*, as the labels of same are classes",
        ),
        ("{like: {pairs: apart, n_layers: 2}}", "{films: {pairs: apart}}", "cell like-apart: .*must be together"),
        ("n_frozen: all", "n_frozen: 3", "^multitask.shape, cell head: rates.n_frozen: must be at most .* 2 layers"),
    ):
        path = copied.paths.root / "params.yaml"
        path.write_text(params().replace(old, new))
        with pytest.raises(InputError, match=message):
            multitask(context(copied.paths.root), "shape")
