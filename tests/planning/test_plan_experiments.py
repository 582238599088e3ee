"""`finetune-alf plan` for experiments: rows, missing samples, elapsed time, overlays."""

import json

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.experiments.registry import load_params, plannables
from finetune_alf.experiments.schemes.experiment import SCHEMES
from finetune_alf.paths import Paths
from finetune_alf.planning.plan import collect, plan, plans
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
      max_tokens: 16"""
SIZES = "n_train: 32, n_validation: 24, n_confirmation: 0, n_test: 24, max_train_frac: 1"
PARAMS = f"""
compute: {{n_threads: 1, precision: fp32}}
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
    recipe: {RECIPE}
schemes:
  bed:
    encoder: tiny
    samples: [kinds]
    n_seeds: 1
    epochs: {{kinds: 3}}
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
    n_seeds: 1
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


pytestmark = pytest.mark.usefixtures("quick_probes")


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A project without studies, all but one of whose samples are prepared."""
    root = write_project(tmp_path_factory.mktemp("experiments") / "project")
    ctx = context(root)
    for sample in ("kinds", "both"):
        prepare(ctx, sample)
    return ctx


def test_without_a_name_all_experiments_are_planned_where_there_is_no_study(ready):
    printed = run(ready.paths.root, "--json")
    assert printed.exit_code == 0
    records = json.loads(printed.stdout)["plans"]
    assert [(record["section"], record["name"]) for record in records] == [
        ("freeze", "tops"),
        ("schemes", "bed"),
        ("multitask", "mix"),
    ]
    counts = [{stage["stage"]: stage["n_fits"] for stage in record["stages"]} for record in records]
    # two levels x two seeds, and two rates of which one is the sweep's own
    assert counts == [{"kinds": 5, "scores": 5}, {"kinds": 3}, {"all": 1, "top": 1, "apart": 1}]
    for record in records:
        seconds = [stage["seconds"] for stage in record["stages"] if stage["seconds"]]
        assert record["seconds"] == pytest.approx(sum(seconds) + record["start_s"])


def test_a_sample_that_is_not_prepared_is_named_with_its_command(ready):
    printed = run(ready.paths.root, "tops")
    assert printed.exit_code == 0
    assert printed.stdout.startswith("freeze tops: random on cpu, fp32, 1 thread; steps timed in ")
    command = f"finetune-alf prepare scores --root {ready.paths.root}"
    assert f"scores: not prepared, not in the total. Run `{command}` first." in printed.stdout
    assert "starting once" in printed.stdout


def test_where_no_sample_is_prepared_the_fits_are_counted_and_nothing_is_predicted(tmp_path):
    ctx = context(write_project(tmp_path / "empty"))
    printed = run(ctx.paths.root, "mix")
    assert printed.exit_code == 0
    *lines, last = printed.stdout.splitlines()
    assert lines[0].endswith("nothing timed")
    assert [line.split() for line in lines[1:]] == [["fits"], ["all", "1"], ["top", "1"], ["apart", "1"]]
    assert last.endswith(f"Run `finetune-alf prepare --root {ctx.paths.root}`, then this again.")


def test_an_encoder_that_is_not_there_stops_only_its_own_plan(ready, tmp_path):
    overlay = tmp_path / "far.yaml"
    overlay.write_text(FAR_AWAY)
    printed = run(ready.paths.root, "--params", str(overlay))
    assert printed.exit_code == 5
    titles = [line.partition(":")[0] for line in printed.stdout.splitlines() if "timed in" in line]
    assert titles == ["freeze tops", "schemes bed", "multitask mix"]
    assert "must be in the cache" in printed.stderr
    alone = run(ready.paths.root, "away", "--params", str(overlay))
    assert (alone.exit_code, alone.stdout) == (3, "")


def test_a_name_used_twice_is_planned_twice(ready, tmp_path):
    overlay = tmp_path / "twice.yaml"
    sweep = PARAMS[PARAMS.index("freeze:") : PARAMS.index("schemes:")]
    overlay.write_text(sweep.replace("tops", "mix"))
    printed = run(ready.paths.root, "mix", "--json", "--params", str(overlay))
    assert [record["title"] for record in json.loads(printed.stdout)["plans"]] == ["freeze mix", "multitask mix"]


def test_overlays_are_planned_before_they_are_used(tmp_path):
    root = write_project(tmp_path / "overlaid", PARAMS[: PARAMS.index("freeze:")])
    assert run(root).stdout == "There is no study and no experiment to plan.\n"
    (root / "mine.yaml").write_text(PARAMS)
    printed = run(root, "bed", "--params", str(root / "mine.yaml"))
    assert printed.exit_code == 0
    assert [line.split() for line in printed.stdout.splitlines()[1:3]] == [["fits"], ["kinds", "3"]]
    commands = printed.stdout.splitlines()[-3:]
    assert commands == [
        f"  finetune-alf params use {root}/mine.yaml --root {root}",
        f"  finetune-alf prepare --root {root}",
        f"  finetune-alf plan bed --root {root}",
    ]
    # these commands lead to a plan
    for command in commands:
        done = CliRunner().invoke(group, command.split()[1:])
        assert done.exit_code == 0, done.stderr
    assert "total" in done.stdout


def test_commands_to_use_an_overlay_are_printed_only_for_missing_samples(ready, tmp_path):
    (tmp_path / "none.yaml").write_text("report: {title: Mine}\n")
    words = ["tops", "--params", str(tmp_path / "none.yaml")]
    printed = run(ready.paths.root, *words)
    assert printed.exit_code == 0
    assert "params use" not in printed.stderr
    assert f"params use {tmp_path}/none.yaml" in printed.stdout
    assert json.loads(run(ready.paths.root, *words, "--json").stdout)["plans"]
    assert "params use" not in run(ready.paths.root, "bed", *words[1:]).stdout


def test_for_a_study_of_an_unused_preset_the_same_commands_are_printed(tmp_path):
    printed = run(tmp_path, "--params", "default", "--params", "real-small")
    assert printed.exit_code == 0
    assert "No sample is prepared: fits are counted, and their time and memory are not predicted.\n" in printed.stdout
    assert f"  finetune-alf params use default real-small --root {tmp_path}\n" in printed.stdout


def test_without_any_prediction_one_command_prepares_all_samples(tmp_path):
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
    printed = run(root)
    assert printed.exit_code == 0
    assert printed.stdout.count("nothing timed") == 2
    assert printed.stdout.endswith(f"not predicted. Run `finetune-alf prepare --root {root}`, then this again.\n")


def test_the_load_average_is_that_of_before_the_first_probe(ready, monkeypatch):
    loads = iter([(3.2, 0.0, 0.0), (0.9, 0.0, 0.0)])
    monkeypatch.setattr("finetune_alf.compute.load.usable_cores", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: next(loads))  # a second reading would see the first plan's probe
    made, _ = plans(ready, collect(ready, plannables()))
    assert len(made) == 3
    assert all("load average is 3.2 on 2 cores" in planned.notes[0] for planned in made)
    assert not any("load average is 3.2" in note for note in plan(ready, SCHEMES, "bed").notes)


def test_fused_fits_are_noted_since_the_probe_did_not_time_them(ready):
    compute = ready.params.compute.model_copy(update={"n_fused": 4})
    ctx = Context(ready.params.model_copy(update={"compute": compute}), ready.paths, RecordingConsole())
    assert any("compute.n_fused" in note and "4 times" in note for note in plan(ctx, SCHEMES, "bed").notes)
    assert not any("n_fused" in note for note in plan(ready, SCHEMES, "bed").notes)
