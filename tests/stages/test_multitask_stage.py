"""Stage `multitask`, and a study over a mixture, from the command line to the page."""

import shutil

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.errors import InputError, ParamsError
from finetune_alf.experiments.multitask.stage import multitask
from finetune_alf.experiments.registry import load_params
from finetune_alf.files import read_json, read_jsonl
from finetune_alf.paths import Paths
from finetune_alf.recipe import TasksSpec
from finetune_alf.register.lock import read_locked_schedules
from finetune_alf.running.context import Context
from finetune_alf.tracking.mlflow import MlflowTracker
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
        task: score
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
      precision: fp32
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
    n_resamples: 200
    recipe:
      {RECIPE}
    vary:
      all: {{rates: {{kind: uniform, rate: 1e-2}}}}
      top-1: {{}}
  shape:
    encoder: tiny
    sample: mix
    baseline: dropout-0.3
    n_resamples: 200
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
    text = PARAMS.replace(
        "studies:\n  tiny:", f"{MIX.replace('&recipe', '').replace('RECIPE', RECIPE).strip(chr(10))}\n  tiny:"
    )
    return text + EXPERIMENTS


def command(root, *words):
    told = CliRunner().invoke(group, [*words, "--root", str(root)])
    assert told.exit_code == 0, told.output
    return told.output


def context(root):
    return Context(load_params(root / "params.yaml"), Paths(root), RecordingConsole())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root = tmp_path_factory.mktemp("mix")
    (root / "params.yaml").write_text(params())
    (root / "same.csv").write_text("one,other,is_same\n" + rows(lambda i: i % 2))
    (root / "like.csv").write_text("one,other,score\n" + rows(lambda i: (i * 5 % 11) / 2))
    told = command(root, "prepare", "mix")
    assert "mix, of films, same, like: train 56, validation 32" in told
    for words in (("study", "mixed"), ("register", "mixed"), ("multitask",), ("report",)):
        command(root, *words)
    return context(root)


@pytest.fixture
def copied(done, tmp_path):
    shutil.copytree(done.paths.root, tmp_path / "copy")
    return context(tmp_path / "copy")


def test_every_cell_has_a_line_with_the_score_of_each_task(done):
    for name, n_cells in (("top", 4), ("shape", 3)):
        lines = read_jsonl(done.paths.multitask(name).with_suffix(".jsonl"))
        assert len({(line["cell"], line["seed"]) for line in lines}) == len(lines) == n_cells
        for line in lines:
            assert {task: one["metric"] for task, one in line["tasks"].items()} == TASKS
            scores = {task: one["score"] for task, one in line["tasks"].items()}
            assert line["score"] == pytest.approx(TasksSpec().overall_score(scores, TASKS))
            kept = line["epochs"][line["kept_epoch"]]["validation_score"]
            assert kept == max(epoch["validation_score"] for epoch in line["epochs"])
            assert set(line["epochs"][0]["tasks"]) == set(TASKS)


def test_the_table_says_what_each_cell_scores_and_costs(done):
    table = read_json(done.paths.multitask("top"))
    lines = read_jsonl(done.paths.multitask("top").with_suffix(".jsonl"))
    for name, row in table["cells"].items():
        own = [line for line in lines if line["cell"] == name]
        assert row["overall"]["mean"] == pytest.approx(sum(line["score"] for line in own) / 2)
        for task in TASKS:
            mean = sum(line["tasks"][task]["score"] for line in own) / 2
            assert row["tasks"][task]["mean"] == pytest.approx(mean, abs=1e-9)
    everything, top = (table["cells"][name] for name in ("all", "top-1"))
    assert everything["n_trainable_parameters"] == everything["n_parameters"] == top["n_parameters"]
    assert top["n_trainable_parameters"] < everything["n_trainable_parameters"]
    assert everything["saved"] is None
    assert top["saved"] == pytest.approx(1 - top["seconds"] / everything["seconds"])
    assert table["sample"]["counts"]["test"] == {"films": 20, "same": 12, "like": 12}
    shape = read_json(done.paths.multitask("shape"))["cells"]
    width = 16
    apart = width * width + width + width  # a hidden layer, and as many inputs again
    assert shape["like-apart"]["n_parameters"] == shape["dropout-0.3"]["n_parameters"] + apart


def test_a_cell_that_two_experiments_share_is_fitted_once(done):
    top, shape = (read_jsonl(done.paths.multitask(name).with_suffix(".jsonl")) for name in ("top", "shape"))
    shared = {line["seed"]: line for line in top if line["cell"] == "top-1"}
    (baseline,) = (line for line in shape if line["cell"] == "dropout-0.3")
    assert {**baseline, "cell": "top-1"} == shared[baseline["seed"]]
    finished = [line for line in done.paths.ledger("multitask").read_text().splitlines() if line]
    assert len(finished) == 4 + 3 - 1


def test_mlflow_has_a_run_a_cell_under_one_parent_with_each_tasks_score(done):
    tracker = MlflowTracker(done.paths.root)
    find = tracker.client.search_runs
    (parent,) = find([tracker.experiment_id], "tags.`alf.multitask` = 'top'")
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics.keys() >= {"all.overall", "top-1.overall"}
    nested = find([tracker.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    lines = {
        (line["cell"], str(line["seed"])): line
        for line in read_jsonl(done.paths.multitask("top").with_suffix(".jsonl"))
    }
    assert {(run.data.tags["alf.cell"], run.data.tags["alf.seed"]) for run in nested} == set(lines)
    for run in nested:
        line = lines[run.data.tags["alf.cell"], run.data.tags["alf.seed"]]
        assert run.data.metrics["test.overall"] == pytest.approx(line["score"])
        for task, metric in TASKS.items():
            assert run.data.metrics[f"test.{task}.{metric}"] == pytest.approx(line["tasks"][task]["score"])


def test_doing_it_again_fits_nothing_and_changes_nothing(copied):
    paths = [copied.paths.ledger("multitask"), *copied.paths.multitask("top").parent.iterdir()]
    before = [path.read_bytes() for path in paths]
    multitask(copied, "top")
    assert [path.read_bytes() for path in paths] == before


def test_schedules_of_a_mixture_are_searched_confirmed_and_registered(done):
    study = read_json(done.paths.study_results("mixed") / "study.json")
    assert study["metric"] == "overall"
    assert study["sample"]["counts"]["train"] == {"films": 24, "same": 16, "like": 16}
    best = read_json(done.paths.study_results("mixed") / "best.json")
    trials = read_jsonl(done.paths.study_results("mixed") / "trials.jsonl")
    assert best["score"] == max(trial["score"] for trial in trials)
    assert all(set(trial["result"]["tasks"]) == set(TASKS) for trial in trials)
    for schedule in read_locked_schedules(done.paths.schedules("mixed")).values():
        assert schedule.recipe.tasks == done.params.studies["mixed"].recipe.tasks
        assert schedule.confirmed.metric == "overall"
        assert schedule.confirmed.low <= schedule.confirmed.mean <= schedule.confirmed.high
        assert schedule.confirmed.n_texts == 16 + 8 + 8


def test_the_page_tells_of_the_experiments(done):
    page = (done.paths.report / "report.md").read_text()
    for name in ("top", "shape"):
        assert f"## Several tasks `{name}`" in page
        assert (done.paths.report / "figures" / f"{name}-multitask.png").stat().st_size > 1000
    assert "tables 2 and 3, one fit each" in page  # dropout-0.3 is a cell of the paper
    row = next(line for line in page.splitlines() if line.startswith("| `top-1` |"))
    mean = read_json(done.paths.multitask("top"))["cells"]["top-1"]["overall"]["mean"]
    assert f"{mean:.3f}".lstrip("0") in row


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (
            "  top:\n    encoder: tiny\n    sample: mix",
            "  top:\n    encoder: tiny\n    sample: mxi",
            "multitask.top.sample",
        ),
        ("each: {same:", "each: {sme:", r"tasks\.each\.sme.*must be an entry of samples.mix.tasks"),
        ("studies: [tiny]", "studies: [mixed]", "must name studies of one task, but that of mixed is a mixture"),
        ("samples: [films, travel]", "samples: [films, mix]", "must name what has one task, but mix is a mixture"),
        ("n_test: 20", "n_test: 0", r"samples\.mix\.tasks\.films\.n_test: must be above 0, since multitask\.top"),
        ("n_validation: 16", "n_validation: 0", r"tasks\.films\.n_validation: must be above 0, since studies\.mixed"),
    ],
)
def test_what_does_not_go_together_is_told_before_anything_is_fitted(tmp_path, was, now, told):
    text = params()
    assert was in text
    (tmp_path / "params.yaml").write_text(text.replace(was, now))
    with pytest.raises(ParamsError, match=told):
        context(tmp_path)


def test_a_recipe_that_does_not_suit_its_tasks_is_refused_before_anything_is_fitted(copied, tmp_path):
    for was, now, told in (
        (
            "metric: f1",
            "metric: pearson",
            r"cell dropout-0.3: .*same\.metric: must be one for classes, but got pearson",
        ),
        (
            "{same: {pairs: apart, loss: binary_cross_entropy,",
            "{same: {loss: squared_error,",
            r"each\.same\.loss: must suit labels",
        ),
        ("{like: {pairs: apart, n_layers: 2}}", "{films: {pairs: apart}}", "cell like-apart: .*must be together"),
        ("n_frozen: all", "n_frozen: 3", "^multitask.shape, cell head: rates.n_frozen: must be at most .* 2 layers"),
    ):
        path = copied.paths.root / "params.yaml"
        path.write_text(params().replace(was, now))
        with pytest.raises(InputError, match=told):
            multitask(context(copied.paths.root), "shape")
