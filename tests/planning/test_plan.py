"""`finetune-alf plan` for a study and its transfers, on a tiny random encoder."""

import json
import re

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.cli.plan_command import _left_in_all, _table
from finetune_alf.experiments.fit.experiment import FIT
from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.transfer.experiment import TRANSFER
from finetune_alf.experiments.transfer.stage import transfer
from finetune_alf.json_files import write_jsonl
from finetune_alf.planning.elapsed import busy_seconds, elapsed_of, finished_cells
from finetune_alf.planning.plan import Predictors
from finetune_alf.planning.plan import plan as plan_one
from finetune_alf.planning.predict import Predictor
from finetune_alf.planning.study import StudyPlan
from finetune_alf.register.lock import read_lock
from finetune_alf.running.context import Context
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.study import study
from small_project import PARAMS, small_context

pytestmark = pytest.mark.usefixtures("quick_probes")


def run(root, *words):
    return CliRunner().invoke(group, ["plan", *words, "--root", str(root)])


def plan(ctx, study):
    return plan_one(ctx, StudyPlan(), study)


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


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A registered study whose best single rate is the baseline's: there is no other rate."""
    changes = {"n_trials: 12": "n_trials: 6", "rates: [0, 1e-4, 1e-3, 1e-2]": "rates: [0, 1e-2]"}
    ctx = small_context(tmp_path_factory.mktemp("plan") / "shared", **changes)
    prepare(ctx, "films")
    study(ctx, "tiny")
    register(ctx, "tiny")
    return ctx


def context_with(ctx, params):
    """The project of a context under other params, which are written nowhere else."""
    path = ctx.paths.root / "other.yaml"
    path.write_text(params)
    return Context(load_params(path), ctx.paths, ctx.console)


def test_a_study_and_its_transfer_are_planned_one_after_the_other(ready):
    printed = run(ready.paths.root)
    assert printed.exit_code == 0
    lines = printed.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines if "timed in" in line] == ["tiny", "transfer tiny"]
    assert [line.split()[0] for line in lines[2:4]] == ["study", "register"]
    first = f"Run `finetune-alf prepare travel --root {ready.paths.root}` first."
    assert f"travel: not prepared, not in the total. {first}" in lines
    assert printed.stderr.startswith("Not prepared: travel. Fits on what is not prepared are counted")
    assert "took" not in printed.stdout
    assert re.fullmatch(r"In all: .+ left, at most \d\.\d GiB of memory\.", lines[-1])


def test_json_is_all_that_is_printed_and_adds_up(ready):
    document = json.loads(run(ready.paths.root, "tiny", "--json").stdout)
    records = document["plans"]
    assert [(record["section"], record["name"]) for record in records] == [("studies", "tiny"), ("transfer", "tiny")]
    search, transfers = ({stage["stage"]: stage for stage in record["stages"]} for record in records)
    assert {name: stage["n_fits"] for name, stage in (search | transfers).items()} == {
        "study": 12,
        "register": 12 + 4 + 2 + 2,  # single rates, trials, baseline and the best single rate
        "films": 10,
        "travel": 10,
    }
    for record, n_starts in zip(records, (2, 1), strict=True):
        seconds = [stage["seconds"] for stage in record["stages"] if stage["seconds"] is not None]
        assert record["seconds"] == pytest.approx(sum(seconds) + n_starts * record["start_s"])
    assert transfers["travel"]["missing"] == f"finetune-alf prepare travel --root {ready.paths.root}"
    assert (transfers["travel"]["n_left"], transfers["travel"]["left_s"]) == (10, None)
    assert search["study"]["left_s"] == pytest.approx(search["study"]["seconds"])
    stages = [search["study"], search["register"], transfers["films"]]
    n_starts = 3  # study, register, transfer
    left_s = sum(stage["left_s"] for stage in stages) + n_starts * records[0]["start_s"]
    assert document["left_s"] == pytest.approx(left_s)
    assert document["memory_bytes"] == max(stage["memory_bytes"] for stage in stages)
    # two of ten cells compute features once and train a head on them
    assert transfers["films"]["fit_flops"] < search["register"]["fit_flops"]


def test_without_its_sample_a_study_is_counted_and_the_stage_to_run_is_named(tmp_path):
    ctx = small_context(tmp_path / "empty")
    printed = run(ctx.paths.root)
    assert (printed.exit_code, printed.stderr) == (0, "")
    *lines, last = printed.stdout.splitlines()
    assert [line.split() for line in lines[1:4]] == [["fits"], ["study", "12"], ["register", "20"]]
    assert [line.split() for line in lines[5:]] == [["fits"], ["films", "10"], ["travel", "10"]]
    assert last == (
        "No sample is prepared: fits are counted, and their time and memory are not predicted. "
        f"Run `finetune-alf prepare --root {ctx.paths.root}`, then this again."
    )
    records = json.loads(run(ctx.paths.root, "--json").stdout)["plans"]
    assert {stage["seconds"] for record in records for stage in record["stages"]} == {None}


def test_on_a_narrow_terminal_finished_fits_are_a_table_of_their_own(done):
    (plan_of_study,) = [plan(done, "tiny")]
    wide, narrow = _table(plan_of_study, None), _table(plan_of_study, 60)
    assert _table(plan_of_study, max(map(len, wide[1:]))) == wide
    head, *lines = narrow
    assert head == wide[0]
    assert max(map(len, lines)) <= 60 < max(map(len, wide[1:]))
    first, second = lines[: lines.index("")], lines[lines.index("") + 1 :]
    assert first[0].split() == ["fits", "s", "a", "fit", "in", "all", "memory"]
    assert second[0].split() == ["done", "took", "took/predicted", "left"]
    assert [line.split()[0] for line in second[1:]] == ["study", "register", "total"]


def test_a_note_that_holds_for_several_plans_is_printed_once(ready, monkeypatch):
    monkeypatch.setattr("finetune_alf.planning.plan.load_average", lambda: 99.0)
    printed = run(ready.paths.root).stdout
    assert printed.count("This machine is busy: the load average is 99.0 on ") == 1
    assert printed.index("This machine is busy") < printed.index("transfer tiny:")


def test_what_is_not_there_is_refused_by_name(ready):
    printed = run(ready.paths.root, "minilm")
    assert printed.exit_code == 3
    assert printed.stderr == (
        "plan: must be given the name of a study or an experiment, but got minilm. There are: tiny.\n"
    )


def test_what_may_end_fits_earlier_is_noted(ready, tmp_path):
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


def test_elapsed_time_is_shown_with_its_ratio_to_the_prediction(done):
    stages = [*plan(done, "tiny").stages, *plan_one(done, TRANSFER, "tiny").stages]
    assert {stage.stage: stage.elapsed.n_fits for stage in stages if stage.elapsed} == {
        "study": 6,
        "register": read_lock(done.paths.schedules("tiny")).n_fits,
        "films": 10,
    }
    for stage in stages:
        if stage.elapsed:
            assert stage.elapsed.fit_s > 0
            assert stage.elapsed.seconds > 0
            assert stage.ratio == pytest.approx(
                stage.elapsed.seconds / stage.elapsed.n_fits / (stage.seconds / stage.n_fits)
            )
    assert {stage.stage: stage.n_left for stage in stages} == {"study": 0, "register": 0, "films": 0, "travel": 10}
    lines = run(done.paths.root).stdout.splitlines()
    assert lines[1].split()[-4:] == ["done", "took", "took/predicted", "left"]
    assert [lines[2].split()[-1], lines[3].split()[-1]] == ["nothing", "nothing"]


def test_where_equal_rates_shared_their_fits_nothing_is_left_of_a_registration_that_is_done(shared):
    trials, registration = plan(shared, "tiny").stages
    n_done = registration.elapsed.n_fits
    assert n_done == 14 - 2  # the best single rate is the baseline's: their two confirmations are shared
    assert (trials.n_fits, trials.n_left, trials.left_s) == (6, 0, 0.0)
    assert (registration.n_fits, registration.n_left, registration.left_s) == (n_done, 0, 0.0)
    assert registration.seconds == pytest.approx(registration.elapsed_predicted_s)
    lines = run(shared.paths.root, "tiny").stdout.splitlines()
    assert [line.split()[-1] for line in lines[2:4]] == ["nothing", "nothing"]


def test_fits_on_a_sample_that_is_not_prepared_are_left(shared):
    done = plan(shared, "tiny")
    assert _left_in_all([done]) == "nothing is left to fit"
    unknown = {"fit_s": None, "seconds": None, "memory_bytes": None, "elapsed": None}
    missing = done.stages[0].model_copy(update={**unknown, "missing": "finetune-alf prepare travel"})
    both = done.model_copy(update={"stages": (*done.stages, missing)})
    assert _left_in_all([both]) == "nothing is left to fit of what is prepared"


@pytest.mark.parametrize(
    ("old", "new"), [("n_seeds: 2, min", "n_seeds: 3, min"), ("n_trials: 6", "n_trials: 7"), ("seed: 3", "seed: 4")]
)
def test_under_other_settings_fits_of_the_registration_are_left(shared, old, new):
    text = (shared.paths.root / "params.yaml").read_text()
    assert old in text
    assert plan(context_with(shared, text.replace(old, new)), "tiny").stages[1].n_left > 0


def test_a_scheme_that_is_recommended_already_is_said(shared, ready):
    known, unknown = (
        [
            note
            for note in plan_one(context_with(ctx, f"{PARAMS}\nfit: {{tiny: {{}}}}"), FIT, "tiny").notes
            if "recom" in note
        ]
        for ctx in (shared, ready)
    )
    assert known == ["baseline is recommended: 2 seeds are too few."]
    assert unknown == ["What will be recommended is not known: a classifier is planned as plain fine-tuning."]


def test_finished_fits_of_linear_models_are_counted_with_their_seconds(tmp_path):
    tuned = {"scheme": "baseline", "seconds": 4.0, "epochs": [{"ended_ms": 3000, "seconds": 2.0}]}
    write_jsonl(tmp_path / "cells.jsonl", [tuned, {"scheme": "probe", "seconds": 1.5, "epochs": []}])
    found = elapsed_of(finished_cells(tmp_path / "cells.jsonl", lambda cell: cell["scheme"], ()))
    assert (found.n_fits, found.kinds, found.seconds) == (2, {"baseline": 1, "probe": 1}, pytest.approx(5.5))
    alone = elapsed_of(
        finished_cells(tmp_path / "cells.jsonl", lambda cell: "probe" if not cell["epochs"] else None, ())
    )
    assert (alone.n_fits, alone.seconds) == (1, pytest.approx(1.5))


def test_cells_on_another_draw_of_a_sample_are_not_finished(tmp_path):
    rows = [
        {"scheme": "probe", "seconds": 1.5, "epochs": [], "run": {"tags": {"alf.sample.digest": drawn}}}
        for drawn in ("now", "before", "now")
    ]
    write_jsonl(tmp_path / "cells.jsonl", rows)
    found = finished_cells(tmp_path / "cells.jsonl", lambda cell: cell["scheme"], {"now"})
    assert elapsed_of(found).n_fits == 2


def test_the_cost_of_equal_fits_is_computed_once(ready, monkeypatch):
    asked, whole = [], Predictor._cost
    monkeypatch.setattr(Predictor, "_cost", lambda self, *given: asked.append(given[1:]) or whole(self, *given))
    predictors = Predictors(ready)
    first = plan_one(ready, StudyPlan(), "tiny", predictors)
    n_asked = len(asked)
    again = plan_one(ready, StudyPlan(), "tiny", predictors)
    assert [stage.seconds for stage in again.stages] == [stage.seconds for stage in first.stages]
    assert len(asked) == n_asked == len({(recipe.model_dump_json(), scored) for recipe, scored in asked}) > 0
    trained = [
        (frozenset(address for address, rate in recipe.rates.at(2).items() if rate > 0), scored)
        for recipe, scored in asked
    ]
    assert len(set(trained)) == n_asked  # rates that are not 0 cost the same, whatever they are


def test_a_plan_leaves_no_trace(ready):
    before = sorted(path for path in ready.paths.root.rglob("*"))
    plan(ready, "tiny")
    assert sorted(path for path in ready.paths.root.rglob("*")) == before


def test_pauses_of_a_study_that_was_resumed_are_not_elapsed_time():
    night = 8 * 3600
    spans = [(0.0, 2.0), (2.5, 4.0), (4.0 + night, 6.0 + night), (5.0 + night, 6.5 + night)]
    assert busy_seconds(spans) == pytest.approx(4.0 + 2.5)


def test_broken_results_are_named_by_file_and_line(shared):
    path = shared.paths.study_results("tiny") / "trials.jsonl"
    before = path.read_bytes()
    write_jsonl(path, [{"number": 0}])
    try:
        printed = run(shared.paths.root)
        assert printed.exit_code == 5  # the transfer is planned nevertheless
        assert "trials.jsonl:1: must be a trial" in printed.stderr
    finally:
        path.write_bytes(before)


def test_the_small_project_has_the_numbers_that_these_tests_count_on():
    assert "n_trials: 12" in PARAMS
    assert "n_top: 2, n_seeds: 2" in PARAMS
