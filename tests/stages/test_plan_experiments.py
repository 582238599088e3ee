"""`finetune-alf plan` for experiments: rows, what is missing, what was done."""

import json

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.errors import ScheduleError
from finetune_alf.experiments.freeze.stage import freeze
from finetune_alf.experiments.multitask.stage import multitask
from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.schemes.stage import schemes
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import plan, plans
from finetune_alf.running.context import Context
from finetune_alf.running.prepare import prepare
from small_project import RecordingConsole
from word_pairs import write_word_pairs

CONFIG = """
      model_type: bert
      vocab_size: 300
      hidden_size: 16
      num_hidden_layers: 2
      num_attention_heads: 2
      intermediate_size: 32
      max_position_embeddings: 128"""
RECIPE = """
      rates: {kind: uniform, rate: 1e-3, head: 1e-2}
      allow_forgetting: true
      batch: 8
      epochs: 2
      max_tokens: 16
      precision: fp32"""
SIZES = "n_train: 32, n_validation: 24, n_confirmation: 0, n_test: 24, max_train_frac: 1"
PARAMS = f"""
compute: {{n_threads: 1}}
encoders:
  tiny:
    kind: random
    seed: 1
    config: {CONFIG}
samples:
  kinds: {{source: {{kind: files, train: words.csv, text: a, label: kind}}, {SIZES}}}
  scores: {{source: {{kind: files, train: words.csv, text: a, label: score}}, problem_type: regression, {SIZES}}}
  both:
    tasks:
      kinds: {{source: {{kind: files, train: words.csv, text: a, label: kind}}, {SIZES}}}
      pairs: {{source: {{kind: files, train: words.csv, text: [a, b], label: kind}}, {SIZES}}}
freeze:
  tops:
    encoder: tiny
    samples: [kinds, scores]
    rates: [1e-3, 3e-3]
    n_frozen: [1]
    n_seeds: 2
    n_resamples: 100
    recipe: {RECIPE}
schemes:
  bed:
    encoder: tiny
    samples: [kinds]
    epochs: {{kinds: 3}}
    n_resamples: 100
    cells:
      - {{scheme: fixed}}
      - {{scheme: fixed, adapter: {{kind: houlsby, width: 4}}}}
      - {{scheme: gradual}}
    recipe: {RECIPE}
multitask:
  mix:
    encoder: tiny
    sample: both
    baseline: all
    n_resamples: 100
    vary:
      all: {{}}
      top: {{rates: {{kind: frozen_below, n_frozen: 1, rate: 1e-3, head: 1e-2}}}}
      apart: {{tasks: {{each: {{pairs: {{pairs: apart}}}}}}}}
    recipe: {RECIPE}
      tasks: {{}}
"""
FAR_AWAY = """
encoders:
  far: {kind: hub, name: somebody/somewhere, revision: "0123456789012345678901234567890123456789"}
freeze:
  away:
    encoder: far
    samples: [kinds]
    recipe: {rates: {kind: uniform, rate: 1e-5}, batch: 8, epochs: 1, max_tokens: 16}
"""


def write_project(root, params=PARAMS):
    root.mkdir()
    (root / "params.yaml").write_text(params)
    write_word_pairs(root / "words.csv")
    return root


def context(root):
    return Context(load_params(root / "params.yaml"), Paths(root), RecordingConsole())


def run(root, *words):
    return CliRunner().invoke(group, ["plan", *words, "--root", str(root)])


@pytest.fixture(autouse=True)
def quick_probes(monkeypatch):
    monkeypatch.setattr("finetune_alf.planning.probe.N_ROUNDS", 2)
    monkeypatch.setattr("finetune_alf.planning.probe.PATIENCE_S", 0.0)


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A project without studies, all but one of whose samples are prepared."""
    root = write_project(tmp_path_factory.mktemp("experiments") / "project")
    ctx = context(root)
    for sample in ("kinds", "both"):
        prepare(ctx, sample)
    return ctx


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root = write_project(tmp_path_factory.mktemp("experiments") / "done")
    ctx = context(root)
    for sample in ctx.params.samples:
        prepare(ctx, sample)
    freeze(ctx, "tops")
    schemes(ctx, "bed")
    multitask(ctx, "mix")
    return ctx


def stages_of(told):
    return {stage.stage: stage for stage in told.stages}


def test_without_a_name_all_experiments_are_planned_where_there_is_no_study(ready):
    told = run(ready.paths.root, "--json")
    assert told.exit_code == 0
    records = json.loads(told.stdout)
    assert [(one["section"], one["name"]) for one in records] == [
        ("freeze", "tops"),
        ("schemes", "bed"),
        ("multitask", "mix"),
    ]
    counts = [{stage["stage"]: stage["n_fits"] for stage in one["stages"]} for one in records]
    # two levels x two seeds, and two rates of which one is the sweep's own
    assert counts == [{"kinds": 5, "scores": 5}, {"kinds": 3}, {"all": 1, "top": 1, "apart": 1}]
    for one in records:
        seconds = [stage["seconds"] for stage in one["stages"] if stage["seconds"]]
        assert one["seconds"] == pytest.approx(sum(seconds) + one["start_s"])


def test_a_sample_that_is_not_prepared_is_told_with_its_command(ready):
    told = run(ready.paths.root, "tops")
    assert told.exit_code == 0
    assert told.stdout.startswith("freeze tops: random on cpu, fp32, 1 threads; probed in ")
    assert "scores: not prepared, not in the total. Run `finetune-alf prepare scores` first." in told.stdout
    assert "starting once" in told.stdout


def test_where_no_sample_is_prepared_the_fits_are_counted_and_nothing_is_predicted(tmp_path):
    ctx = context(write_project(tmp_path / "empty"))
    told = run(ctx.paths.root, "mix")
    assert told.exit_code == 3
    lines = told.stdout.splitlines()
    assert lines[0].endswith("not probed")
    assert [line.split()[:3] for line in lines[2:5]] == [["all", "1", "?"], ["top", "1", "?"], ["apart", "1", "?"]]
    assert lines[5:] == ["all, top, apart: not prepared, not in the total. Run `finetune-alf prepare both` first."]
    assert (
        told.stderr
        == "plan: must have a prepared sample to time fits on, but there is none. Run `finetune-alf prepare` first.\n"
    )


def test_a_cell_that_freezes_takes_less_and_adapters_are_mentioned(ready):
    mix = stages_of(plan(ready, "multitask", "mix"))
    assert mix["top"].fit_flops < mix["all"].fit_flops
    assert any("adapters" in note for note in plan(ready, "schemes", "bed").notes)


def test_an_encoder_that_is_not_there_stops_its_own_plan_alone(ready, tmp_path):
    overlay = tmp_path / "far.yaml"
    overlay.write_text(FAR_AWAY)
    told = run(ready.paths.root, "--params", str(overlay))
    assert told.exit_code == 5
    titles = [line.partition(":")[0] for line in told.stdout.splitlines() if "probed in" in line]
    assert titles == ["freeze tops", "schemes bed", "multitask mix"]
    assert "must be in the cache" in told.stderr
    alone = run(ready.paths.root, "away", "--params", str(overlay))
    assert (alone.exit_code, alone.stdout) == (3, "")


def test_a_name_used_twice_is_planned_twice(ready, tmp_path):
    overlay = tmp_path / "twice.yaml"
    sweep = PARAMS[PARAMS.index("freeze:") : PARAMS.index("schemes:")]
    overlay.write_text(sweep.replace("tops", "mix"))
    told = run(ready.paths.root, "mix", "--json", "--params", str(overlay))
    assert [one["title"] for one in json.loads(told.stdout)] == ["freeze mix", "multitask mix"]


def test_overlays_are_planned_before_they_are_used(tmp_path):
    root = write_project(tmp_path / "overlaid", PARAMS[: PARAMS.index("freeze:")])
    assert run(root).stdout == "There is no study and no experiment to plan.\n"
    (root / "mine.yaml").write_text(PARAMS)
    told = run(root, "bed", "--params", str(root / "mine.yaml"))
    assert told.exit_code == 3
    assert "kinds: not prepared, not in the total.\n" in told.stdout
    commands = told.stderr.splitlines()[-3:]
    assert commands == [
        f"  finetune-alf params use {root}/mine.yaml --root {root}",
        f"  finetune-alf prepare --root {root}",
        f"  finetune-alf plan bed --root {root}",
    ]
    # the words lead where they say
    for command in commands:
        done = CliRunner().invoke(group, command.split()[1:])
        assert done.exit_code == 0, done.stderr
    assert "total" in done.stdout


def test_the_way_to_a_prepared_preset_is_told_for_what_is_missing_alone(ready, tmp_path):
    (tmp_path / "none.yaml").write_text("report: {title: Mine}\n")
    words = ["tops", "--params", str(tmp_path / "none.yaml")]
    told = run(ready.paths.root, *words)
    assert told.exit_code == 0
    assert "params use" not in told.stderr
    assert f"params use {tmp_path}/none.yaml" in told.stdout
    assert json.loads(run(ready.paths.root, *words, "--json").stdout)
    assert "params use" not in run(ready.paths.root, "bed", *words[1:]).stdout


def test_a_study_of_a_preset_leads_the_same_way(tmp_path):
    told = run(tmp_path, "--params", "default", "--params", "real-small")
    assert (told.exit_code, told.stdout) == (3, "")
    assert "must be there to plan with" in told.stderr
    assert f"  finetune-alf params use default real-small --root {tmp_path}\n" in told.stderr


def test_several_faults_are_all_told_and_nothing_planned_is_a_fault_of_input(tmp_path):
    root = write_project(
        tmp_path / "faults",
        PARAMS[: PARAMS.index("freeze:")]
        + """
studies:
  first: &study
    encoder: tiny
    sample: kinds
    space: {kind: choices, rates: [0, 1e-5]}
    recipe: {rates: {kind: uniform, rate: 1e-5}, batch: 8, epochs: 1, max_tokens: 16}
    n_trials: 2
  second: {<<: *study, sample: scores, metric: pearson}
""",
    )
    told = run(root)
    assert (told.exit_code, told.stdout) == (3, "")
    assert [line.partition(":")[0].rpartition("/")[2] for line in told.stderr.splitlines()] == ["kinds", "scores"]


def test_a_schedule_that_only_the_registry_knows_is_planned_as_one_that_opens_all(ready):
    cells = ({"scheme": "fixed"}, {"scheme": "alf-tiny@alf-1"})
    spec = ready.params.schemes["bed"]
    spec = type(spec).model_validate({**spec.model_dump(exclude={"cells"}), "cells": cells})
    ctx = Context(ready.params.model_copy(update={"schemes": {"bed": spec}}), ready.paths, RecordingConsole())
    told = plan(ctx, "schemes", "bed")
    assert told.notes[-1].startswith("alf-tiny@alf-1: counted as if everything learned")
    missing = spec.model_copy(update={"cells": (spec.cells[0].model_copy(update={"scheme": "no.json"}),)})
    ctx = Context(ready.params.model_copy(update={"schemes": {"bed": missing}}), ready.paths, RecordingConsole())
    with pytest.raises(ScheduleError, match=r"no\.json"):
        plan(ctx, "schemes", "bed")


def test_what_is_done_is_shown_beside_each_row_and_the_search_counts(done):
    made, failed = plans(done)
    assert not failed
    for told in made:
        for stage in told.stages:
            assert stage.elapsed.n_fits == stage.n_fits, f"{told.title}: {stage.stage}"
            assert stage.elapsed.seconds > 0
            assert stage.elapsed_predicted_s == pytest.approx(stage.seconds)
            assert stage.ratio == stage.elapsed.seconds / stage.elapsed_predicted_s
    (freeze_plan, *_) = made
    assert freeze_plan.stages[0].elapsed.kinds == {"none": 3, "1": 2}


def test_what_is_half_done_is_set_beside_what_just_that_would_take(done):
    path, known = done.paths.schemes("bed").with_suffix(".jsonl"), {}
    (whole,) = plan(done, "schemes", "bed", known).stages
    lines, alone = path.read_text(), {}
    try:
        for line in lines.splitlines():
            path.write_text(line + "\n")
            (stage,) = plan(done, "schemes", "bed", known).stages
            alone |= dict.fromkeys(stage.elapsed.kinds, stage.elapsed_predicted_s)
    finally:
        path.write_text(lines)
    assert list(alone) == ["fixed/none/constant", "fixed/houlsby/constant", "gradual/none/constant"]
    assert sum(alone.values()) == pytest.approx(whole.seconds)
    assert len(set(alone.values())) == 3


def test_busy_cores_are_told_as_what_was_before_the_first_probe(ready, monkeypatch):
    loads = iter([(3.2, 0.0, 0.0), (0.9, 0.0, 0.0)])
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: next(loads))  # a second look would see the probe of the first plan
    made, _ = plans(ready)
    assert len(made) == 3
    assert all("3.2 programs on average wanted the 2 cores" in one.notes[0] for one in made)
    assert not any("cores" in note for note in plan(ready, "schemes", "bed").notes)


def test_fits_in_lockstep_are_not_what_was_timed(ready):
    compute = ready.params.compute.model_copy(update={"n_fused": 4})
    ctx = Context(ready.params.model_copy(update={"compute": compute}), ready.paths, RecordingConsole())
    assert any("compute.n_fused" in note and "4 times" in note for note in plan(ctx, "schemes", "bed").notes)
    assert not any("n_fused" in note for note in plan(ready, "schemes", "bed").notes)
