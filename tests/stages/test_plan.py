"""`finetune-alf plan` from the words on the command line, on a tiny random encoder; what it took is in the files."""

import json

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.errors import DataError
from finetune_alf.experiments.transfer.stage import transfer
from finetune_alf.files import write_jsonl
from finetune_alf.planning.elapsed import busy_seconds
from finetune_alf.planning.plan import plan as plan_one
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.study import study
from small_project import PARAMS, small_context


def run(root, *words):
    return CliRunner().invoke(group, ["plan", *words, "--root", str(root)])


def plan(ctx, study):
    return plan_one(ctx, "studies", study)


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A project whose own sample alone is prepared."""
    ctx = small_context(tmp_path_factory.mktemp("plan") / "project")
    prepare(ctx, "films")
    return ctx


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    ctx = small_context(tmp_path_factory.mktemp("plan") / "done", **{"n_trials: 12": "n_trials: 6"})
    for sample in ("films", "travel"):
        prepare(ctx, sample)
    study(ctx, "tiny")
    register(ctx, "tiny")
    transfer(ctx, "tiny", "films")
    return ctx


def test_a_plan_says_what_each_stage_takes_and_what_is_not_prepared(ready):
    told = run(ready.paths.root)
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert lines[0].startswith("tiny: random on cpu, fp32, 1 threads; probed in ")
    assert [line.split("  ")[0] for line in lines[2:]][:4] == [
        "study",
        "register",
        "transfer to films",
        "transfer to travel",
    ]
    assert "transfer to travel: not prepared, not in the total. Run `finetune-alf prepare travel` first." in lines
    assert "took" not in told.stdout


def test_json_is_all_that_is_printed_and_adds_up(ready):
    told = run(ready.paths.root, "tiny", "--json")
    (record,) = json.loads(told.stdout)
    stages = {stage["stage"]: stage for stage in record["stages"]}
    assert [stage["n_fits"] for stage in stages.values()] == [12, 4, 10, 10]
    planned = [stage["seconds"] for stage in stages.values() if stage["seconds"] is not None]
    assert record["seconds"] == pytest.approx(sum(planned) + 3 * record["start_s"])
    assert stages["transfer to travel"]["missing"] == "finetune-alf prepare travel"
    # two of ten cells compute features once and train a head on them
    assert stages["transfer to films"]["fit_flops"] < stages["register"]["fit_flops"]


def test_without_its_sample_a_plan_names_the_stage_to_run(tmp_path):
    ctx = small_context(tmp_path / "empty")
    with pytest.raises(DataError, match=r"films: must be there to plan with, but is not. Run `finetune-alf prepare f"):
        plan(ctx, "tiny")
    told = run(ctx.paths.root)
    assert told.exit_code == 3
    assert told.stdout == ""
    assert told.stderr.count("\n") == 1


def test_what_is_not_there_is_refused_by_name(ready):
    told = run(ready.paths.root, "minilm")
    assert told.exit_code == 3
    assert told.stderr == (
        "plan: must be given the name of a study or an experiment, but got minilm. There are: tiny.\n"
    )


def test_what_may_end_fits_earlier_is_said(ready, tmp_path):
    ctx = small_context(
        tmp_path / "stopping",
        **{
            "      batch: 8": "      early_stopping: {patience: 1}\n      batch: 8",
            "enqueue:": "pruner: median\n    enqueue:",
        },
    )
    prepare(ctx, "films")
    assert [note.split()[0] for note in plan(ctx, "tiny").notes if "may" in note] == ["recipe.early_stopping", "The"]


def test_a_space_with_zero_is_cheaper_than_one_that_freezes_nothing(ready, tmp_path):
    open_space = small_context(tmp_path / "open", **{"rates: [0, 1e-4": "rates: [1e-5, 1e-4"})
    prepare(open_space, "films")
    with_zero, without = plan(ready, "tiny").stages[0], plan(open_space, "tiny").stages[0]
    assert 0.6 * without.fit_flops < with_zero.fit_flops < 0.97 * without.fit_flops


def test_what_is_done_is_shown_beside_it_with_the_ratio(done):
    told = plan(done, "tiny")
    by_name = {stage.stage: stage for stage in told.stages}
    assert {name: stage.elapsed.n_fits for name, stage in by_name.items() if stage.elapsed} == {
        "study": 6,
        "register": 4,
        "transfer to films": 10,
    }
    for stage in by_name.values():
        if stage.elapsed:
            assert stage.elapsed.fit_s > 0
            assert stage.elapsed.seconds >= stage.elapsed.fit_s * stage.elapsed.n_fits * 0.99
            assert stage.ratio == pytest.approx(
                stage.elapsed.seconds / stage.elapsed.n_fits / (stage.seconds / stage.n_fits)
            )
    printed = run(done.paths.root).stdout
    assert printed.splitlines()[1].split()[-3:] == ["done", "took", "took/predicted"]


def test_a_plan_leaves_no_trace(ready):
    before = sorted(path for path in ready.paths.root.rglob("*"))
    plan(ready, "tiny")
    assert sorted(path for path in ready.paths.root.rglob("*")) == before


def test_a_study_that_was_stopped_and_taken_up_again_is_not_charged_for_the_night():
    night = 8 * 3600
    spans = [(0.0, 2.0), (2.5, 4.0), (4.0 + night, 6.0 + night), (5.0 + night, 6.5 + night)]
    assert busy_seconds(spans) == pytest.approx(4.0 + 2.5)


def test_torn_results_are_told_as_every_stage_tells_them(ready):
    folder = ready.paths.study_results("tiny")
    write_jsonl(folder / "trials.jsonl", [{"number": 0}])
    try:
        told = run(ready.paths.root)
        assert told.exit_code == 3
        assert "trials.jsonl:1: must be a trial" in told.stderr
    finally:
        (folder / "trials.jsonl").unlink()


def test_the_small_project_of_these_tests_has_the_numbers_that_they_count_on():
    assert "n_trials: 12" in PARAMS
    assert "n_top: 2, n_seeds: 2" in PARAMS
