"""All stages on the corpus of the package, through the real MLflow store, database and registry."""

import json
import logging
import os
import shutil
import subprocess
import sys

import killed_study
import numpy as np
import pytest

from finetune_alf.data.sample import load_sample
from finetune_alf.errors import AlfError, InputError, LockedError, ScheduleError
from finetune_alf.experiments.registry import registry
from finetune_alf.experiments.run_all import run_all
from finetune_alf.experiments.summary import CONFIRMATION, summary_lines, summary_of
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.stage import transfer
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.json_files import read_json, read_jsonl, write_json
from finetune_alf.locks import hold_lock
from finetune_alf.metrics import ACCURACY
from finetune_alf.params.model import TrackingSpec
from finetune_alf.paths import Paths
from finetune_alf.register.lock import read_lock
from finetune_alf.running.context import Context
from finetune_alf.running.importance import importance
from finetune_alf.running.parent_run import open_tracker, parent_run
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.study import study, study_summary
from finetune_alf.schedules.pull import pull
from finetune_alf.schedules.registry import Registry
from finetune_alf.stats import estimate, scores_of
from finetune_alf.study.records import best_trial, read_study, read_trials
from finetune_alf.tracking.store import tracking_uri
from small_project import RecordingConsole, small_context

MODEL = "alf-small.tiny"
SHOWN = ("search", "trials", "score_curves", "loss_curves", "importance", "strip", "forest", "confusion", "agreement")


@pytest.fixture(scope="module")
def done(empty_store, tmp_path_factory):
    root = tmp_path_factory.mktemp("parent") / "project"
    shutil.copytree(empty_store, root)
    ctx = small_context(root)
    run_all(ctx, registry())
    return ctx


@pytest.fixture
def copied(done, tmp_path):
    """The finished project with its MLflow store, on which a test may do harm."""
    shutil.copytree(done.paths.root, tmp_path / "copy")
    return Context(done.params, Paths(tmp_path / "copy"), RecordingConsole())


def runs(ctx, condition):
    tracker = open_tracker(ctx)
    return list(tracker.client.search_runs([tracker.experiment_id], condition, max_results=200))


def test_the_page_holds_what_the_stages_wrote(done):
    page = (done.paths.report / "report.md").read_text()
    best = read_json(done.paths.study_results("tiny") / "best.json")
    assert f"{best['score']:.3f}".lstrip("0") in page
    for alias in ("alf-1", "alf-2"):
        digest = read_json(done.paths.schedules("tiny"))["schedules"][alias]["digest"]
        assert digest[:12] in page


def test_mlflow_has_one_parent_and_one_run_a_trial_with_rates_and_a_point_an_epoch(done):
    (parent,) = runs(done, "tags.`alf.study` = 'tiny' and attributes.run_name = 'study tiny'")
    assert parent.info.status == "FINISHED"
    nested = runs(done, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    records = {row["number"]: row for row in read_jsonl(done.paths.study_results("tiny") / "trials.jsonl")}
    assert sorted(int(run.data.tags["alf.trial"]) for run in nested) == sorted(records) == list(range(12))
    client = open_tracker(done).client
    for run in nested:
        row = records[int(run.data.tags["alf.trial"])]
        assert {name: float(run.data.params[f"rates.{name}"]) for name in row["rates"]} == row["rates"]
        assert run.data.tags["alf.sample.digest"] == read_json(done.paths.sample("films") / "card.json")["digest"]
        for metric in ("train/loss", "validation/loss", "validation/accuracy"):
            points = client.get_metric_history(run.info.run_id, metric)
            assert [point.step for point in points] == list(range(4))


def test_parent_runs_say_what_came_of_them_with_intervals_and_pictures(done):
    client = open_tracker(done).client
    (study_run,) = runs(done, "attributes.run_name = 'study tiny'")
    assert study_run.data.metrics["study/n_trials"] == 12
    assert "the best is" in study_run.data.tags["mlflow.note.content"]
    (registration,) = runs(done, "attributes.run_name = 'register tiny'")
    note, lock = registration.data.tags["mlflow.note.content"], read_lock(done.paths.schedules("tiny"))
    assert "| alf-1 | " in note
    assert f"registered {MODEL}@alf-1" in note
    found = lock.candidate("alf-1").from_baseline
    ends = {name: registration.data.metrics[f"difference/alf-1{name}"] for name in ("", ".low", ".high")}
    assert ends == {"": found.mean, ".low": found.low, ".high": found.high}
    (transferred,) = runs(done, "attributes.run_name = 'transfer tiny travel'")
    assert {"score/alf-1", "score/alf-1.low", "score/baseline.high"} <= transferred.data.metrics.keys()
    of_study = {f"figures/tiny-{kind}.png" for kind in SHOWN}
    of_transfer = {"figures/tiny-transfer.png"}
    for run, pictures in ((study_run, of_study), (registration, of_study), (transferred, of_transfer)):
        assert {"report.html", "report.md"} <= {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {file.path for file in client.list_artifacts(run.info.run_id, "figures")} == pictures
    (page,) = runs(done, "attributes.run_name = 'report'")
    assert {"report.html", "report.md"} <= {file.path for file in client.list_artifacts(page.info.run_id)}
    assert {file.path for file in client.list_artifacts(page.info.run_id, "figures")} == of_study | of_transfer
    text = (done.paths.report / "report.md").read_text("utf-8")
    assert page.data.tags["mlflow.note.content"].strip() in text


def test_fits_name_their_sample_and_where_they_come_from(done):
    run = runs(done, "tags.`alf.trial` = '0'")[0]
    (used,) = run.inputs.dataset_inputs
    digest = read_json(done.paths.sample("films") / "card.json")["digest"]
    assert (used.dataset.name, used.dataset.digest) == ("films", digest[:16])
    assert json.loads(used.dataset.profile) == {"digest": digest}
    assert run.data.tags["mlflow.source.name"] == "finetune-alf"
    assert run.data.tags["mlflow.user"]


def test_a_version_says_in_mlflow_what_it_is_worth(done):
    version = open_tracker(done).client.get_model_version_by_alias(MODEL, "alf-1")
    assert {"confirmed", "difference", "verdict", "encoder"} <= version.tags.keys()
    assert version.tags["encoder"] == "bert, 2 layers"
    assert f'finetune_alf.pull("{MODEL}@alf-1")' in version.description


def test_the_registered_trials_carry_a_picture_of_their_curves(done):
    lock = read_json(done.paths.schedules("tiny"))
    client = open_tracker(done).client
    for entry in lock["schedules"].values():
        (run,) = runs(done, f"tags.`alf.trial` = '{entry['trial']}'")
        assert "curves.png" in {file.path for file in client.list_artifacts(run.info.run_id)}


def test_a_registered_schedule_is_pulled_by_its_alias_as_the_lock_file_has_it(done):
    uri = tracking_uri(done.paths.root)
    for alias, entry in read_json(done.paths.schedules("tiny"))["schedules"].items():
        schedule = pull(f"alf-small.tiny@{alias}", uri, allow_forgetting=True)
        assert schedule.digest == entry["digest"]
        assert schedule.confirmed.n_seeds == 2
        assert schedule.provenance.trial == entry["trial"]


def test_confirmation_uses_texts_and_seeds_that_no_trial_saw(done):
    lines = (done.paths.ledger("register-tiny")).read_text().split("\n")
    fits = [json.loads(line)["result"] for line in lines if line]
    trials = read_jsonl(done.paths.study_results("tiny") / "trials.jsonl")
    assert len(fits) == read_lock(done.paths.schedules("tiny")).n_fits
    searched = {tuple(e["train_loss"] for e in t["result"]["epochs"]) for t in trials}
    assert not searched & {tuple(e["train_loss"] for e in fit["epochs"]) for fit in fits}


def test_a_confirmed_score_is_that_of_the_confirmation_split(done):
    truth = load_sample(done.paths.sample("films")).splits["confirmation"].labels
    n_before = read_lock(done.paths.schedules("tiny")).single_rate.n_fits
    fits = Ledger(done.paths.ledger("register-tiny")).results[n_before : n_before + 4]  # of each trial two
    assert [fit.score for fit in fits] == pytest.approx([np.mean(np.equal(fit.predictions, truth)) for fit in fits])
    scores = [scores_of(ACCURACY, truth, {0: one.predictions, 1: two.predictions}) for one, two in (fits[:2], fits[2:])]
    candidates = read_json(done.paths.schedules("tiny"))["candidates"]
    found = sorted((each["mean"], each["low"], each["high"]) for each in candidates)
    expected = sorted((each.mean, each.low, each.high) for each in map(estimate, scores))
    assert np.array(found) == pytest.approx(np.array(expected))


def test_the_single_rate_has_as_many_fits_as_the_study_and_is_chosen_on_the_validation_split(done):
    lock, validation = read_lock(done.paths.schedules("tiny")), load_sample(done.paths.sample("films")).splits
    assert lock.single_rate.n_fits == 12  # four rounds of three rates, for twelve trials
    fits = Ledger(done.paths.ledger("register-tiny")).results[:12]
    truth = validation["validation"].labels
    accuracies = [float(np.mean(np.equal(fit.predictions, truth))) for fit in fits]
    by_rate = {rate: accuracies[place::3] for place, rate in enumerate((1e-4, 1e-3, 1e-2))}
    assert {each.rate: list(each.scores) for each in lock.single_rate.grid} == by_rate
    assert lock.single_rate.rate == max(by_rate, key=lambda rate: np.mean(by_rate[rate]))


def test_the_lock_file_compares_each_candidate_with_the_baseline_and_the_single_rate(done):
    lock = read_lock(done.paths.schedules("tiny"))
    for candidate in lock.candidates:
        for found, reference in (
            (candidate.from_baseline, lock.references.baseline),
            (candidate.from_single_rate, lock.references.single_rate),
        ):
            assert found.mean == pytest.approx(candidate.mean - reference.mean)
        assert candidate.from_baseline.verdict == "too few seeds for a verdict"
    assert lock.references.single_rate.rates["layer.0"] == lock.single_rate.rate


def version_tags_of(ctx):
    client = open_tracker(ctx).client
    return {alias: client.get_model_version_by_alias(MODEL, alias).tags for alias in ("alf-1", "alf-2")}


def test_a_registered_version_has_its_verdict_and_difference_as_tags(done):
    lock, tags = read_lock(done.paths.schedules("tiny")), version_tags_of(done)
    for alias, own in tags.items():
        assert own["alf.verdict"] == "too few seeds for a verdict"
        assert float(own["alf.difference"]) == pytest.approx(lock.candidate(alias).from_baseline.mean, abs=1e-6)
        assert float(own["alf.baseline"]) == pytest.approx(lock.references.baseline.mean, abs=1e-6)


def test_every_cell_of_the_grid_is_there_with_predictions_for_every_test_text(done):
    for sample in ("films", "travel"):
        path = done.paths.cells("transfer", "tiny", sample)
        cells, predicted = TransferLine.read_lines(path), read_json(path.with_suffix(".predictions.json"))
        assert len({(cell.scheme, cell.seed) for cell in cells}) == len(cells) == 5 * 2
        for cell in cells:
            predictions = predicted["predictions"][cell.scheme][str(cell.seed)]
            hits = sum(p == t for p, t in zip(predictions, predicted["truth"], strict=True))
            assert cell.accuracy == pytest.approx(hits / 40)


def test_doing_it_all_again_fits_nothing_and_changes_no_result(copied):
    before = {path: path.read_bytes() for path in copied.paths.results.rglob("*.jsonl")}
    versions = Registry(tracking_uri(copied.paths.root)).list()
    study(copied, "tiny")
    transfer(copied, "tiny", "travel")
    assert {path: path.read_bytes() for path in copied.paths.results.rglob("*.jsonl")} == before
    assert Registry(tracking_uri(copied.paths.root)).list() == versions


def test_a_registry_that_lost_the_schedules_gets_them_back_from_the_lock_file(done, copied):
    tags = version_tags_of(done)
    shutil.rmtree(copied.paths.mlruns)
    with pytest.raises(AlfError, match="register tiny --from-lock"):
        transfer(copied, "tiny", "travel")
    lock = copied.paths.schedules("tiny").read_bytes()
    register(copied, "tiny", from_lock=True)
    transfer(copied, "tiny", "travel")
    assert copied.paths.schedules("tiny").read_bytes() == lock
    assert version_tags_of(copied) == tags


def transferred_again(ctx):
    """Whether the transfer finds all of its cells in the ledger, and writes them as before."""
    path = ctx.paths.cells("transfer", "tiny", "travel")
    before = path.read_bytes()
    transfer(ctx, "tiny", "travel")
    return path.read_bytes() == before


def test_a_transfer_applies_the_locked_versions_wherever_their_aliases_are_now(copied):
    client = open_tracker(copied).client
    client.set_registered_model_alias(MODEL, "alf-1", "2")
    client.delete_registered_model_alias(MODEL, "alf-2")
    assert transferred_again(copied)


@pytest.mark.long
def test_a_registry_that_was_filled_in_another_order_numbers_its_versions_anew(copied):
    shutil.rmtree(copied.paths.mlruns)
    locked = read_lock(copied.paths.schedules("tiny"))
    with parent_run(copied, "register/tiny", "register tiny", {}) as parent:
        Registry(parent.tracker.uri).register(MODEL, locked.schedules["alf-2"].schedule, "alf-2", parent.parent_id)
    register(copied, "tiny", from_lock=True)
    assert Registry(tracking_uri(copied.paths.root)).pull(f"{MODEL}@alf-1").version == 2
    assert locked.schedules["alf-1"].version == 1
    assert transferred_again(copied)


def edit(path, old, new):
    """Replace a text in a document, which gets a new checksum."""
    write_json(path, json.loads(json.dumps(read_json(path)).replace(old, new)))


def test_a_lock_file_of_another_project_or_of_an_older_version_is_applied(copied):
    path = copied.paths.schedules("tiny")
    edit(path, MODEL, "alf-tiny")  # as before models had projects in their names
    assert transferred_again(copied)
    client = open_tracker(copied).client
    client.rename_registered_model(MODEL, "alf-elsewhere.tiny")
    edit(path, "alf-tiny", "alf-elsewhere.tiny")
    assert transferred_again(copied)


def test_a_transfer_without_its_locked_version_names_the_command_that_registers_it(copied):
    open_tracker(copied).client.delete_model_version(MODEL, "1")
    with pytest.raises(ScheduleError, match=rf"{MODEL} version 1: must be registered .* `finetune-alf register tiny`"):
        transfer(copied, "tiny", "travel")


def as_project(done, root, name, **tracking):
    """Copy the finished project under another name, without its own MLflow store."""
    shutil.copytree(done.paths.root, root, ignore=shutil.ignore_patterns("mlruns"))
    params = done.params.model_copy(update={"project": name, "tracking": TrackingSpec(**tracking)})
    return Context(params, Paths(root), RecordingConsole())


@pytest.mark.long
def test_two_projects_with_equal_studies_keep_runs_and_models_apart_in_one_experiment(done, tmp_path):
    uri = f"sqlite:///{tmp_path}/shared/mlflow.db"
    both = [as_project(done, tmp_path / name, name, uri=uri, experiment="team") for name in ("one", "other")]
    for ctx in both:
        study(ctx, "tiny")
        register(ctx, "tiny")
    by_project = {ctx.project: runs(ctx, f"tags.`alf.project` = '{ctx.project}'") for ctx in both}
    for name, found in by_project.items():
        n_registration = read_lock(both[0].paths.schedules("tiny")).n_fits
        assert len(found) == 1 + 12 + 1 + n_registration  # the study and its trials, the registration and its fits
        assert all(run.data.tags["alf.key"].startswith(f"{name}/") for run in found)
        parents = {run.data.tags.get("mlflow.parentRunId") for run in found} - {None}
        assert parents < {run.info.run_id for run in found}
    one, other = ({run.info.run_id for run in found} for found in by_project.values())
    assert not one & other
    versions = [(each.model, each.version, each.aliases) for each in Registry(uri).list()]
    assert versions == [
        (f"alf-{name}.tiny", number, (f"alf-{number}",)) for name in ("one", "other") for number in (1, 2)
    ]
    assert {each.run_id for each in Registry(uri).list()} <= one | other


def test_without_a_name_the_experiment_has_that_of_the_project(done):
    tracker = open_tracker(done)
    assert tracker.client.get_experiment(tracker.experiment_id).name == "finetune_alf.small"


def test_a_schedule_that_does_not_show_what_is_required_is_not_registered(copied):
    spec = copied.params.register_.model_copy(update={"n_seeds": 5, "require": "better"})
    strict = Context(copied.params.model_copy(update={"register_": spec}), copied.paths, RecordingConsole())
    n_before = len(Ledger(copied.paths.ledger("register-tiny")).results)
    register(strict, "tiny")
    lock = read_lock(copied.paths.schedules("tiny"))
    assert (lock.schedules, list(lock.chosen)) == ({}, ["alf-1", "alf-2"])
    assert {each.from_baseline.n_seeds for each in lock.candidates} == {5}
    n_rates = (lock.n_fits - lock.single_rate.n_fits) / 5
    assert len(Ledger(copied.paths.ledger("register-tiny")).results) == n_before + 3 * n_rates  # two seeds were there
    assert any("alf-1 is not registered" in line for line in strict.console.lines)
    assert [version.aliases for version in Registry(tracking_uri(copied.paths.root)).list()] == [(), ()]
    transfer(strict, "tiny", "travel")
    assert any(line.startswith("alf-1 is left out") for line in strict.console.lines)
    lines = TransferLine.read_lines(copied.paths.cells("transfer", "tiny", "travel"))
    schemes = {line.scheme for line in lines}
    assert "baseline" in schemes
    assert schemes.isdisjoint({"alf-1", "alf-2"})
    assert strict.console.totals["transfer tiny travel"] == len(lines)


def test_a_changed_lock_file_is_refused(copied):
    path = copied.paths.schedules("tiny")
    path.write_text(path.read_text().replace('"trial": 1', '"trial": 11').replace('"head": 0.01', '"head": 0.02'))
    with pytest.raises(AlfError, match="edited"):
        transfer(copied, "tiny", "travel")


def test_a_stage_names_the_one_that_must_run_before_it(tmp_path):
    ctx = small_context(tmp_path / "empty")
    with pytest.raises(AlfError, match="Run `finetune-alf prepare films --root"):
        study(ctx, "tiny")
    with pytest.raises(InputError, match="Run `finetune-alf study tiny"):
        importance(ctx, "tiny")


def test_an_unknown_name_is_answered_with_those_there_are(done):
    with pytest.raises(InputError, match="samples: must have an entry `filsm`, but got films, travel"):
        prepare(done, "filsm")


def test_two_processes_do_not_write_one_sample(tmp_path):
    ctx = small_context(tmp_path / "one")
    with hold_lock(ctx.paths.studies / "prepare-films.lock"), pytest.raises(LockedError, match="holds the lock"):
        prepare(ctx, "films")
    assert not ctx.paths.sample("films").exists()


def without_a_store(done, root, on_failure):
    """A project with the sample of another one, and a file where the folder of its store should be."""
    shutil.copytree(done.paths.root / "data", root / "data")
    ctx = small_context(root, **{"project: small": f"project: small\ntracking: {{on_failure: {on_failure}}}"})
    ctx.paths.mlruns.write_text("a file where a folder should be")
    return ctx


def test_a_study_that_waits_for_mlflow_does_not_begin_without_it(done, tmp_path):
    ctx = without_a_store(done, tmp_path / "bad", "wait")
    with pytest.raises(AlfError, match="cannot use the MLflow store"):
        study(ctx, "tiny")
    assert not list(ctx.paths.studies.glob("*.db"))
    assert list(ctx.paths.spools.iterdir()) == []


def test_a_study_goes_on_without_mlflow_says_so_once_and_the_next_start_writes_its_runs(done, tmp_path, caplog):
    ctx = without_a_store(done, tmp_path / "bad", "continue")
    with caplog.at_level(logging.WARNING):
        study(ctx, "tiny")
    assert caplog.text.count("cannot use the MLflow store") == 1
    (line,) = [line for line in ctx.console.lines if "in MLflow" in line]
    assert f"wait in {ctx.paths.spools}; `finetune-alf sync --root {ctx.paths.root}` writes them." in line
    with pytest.raises(AlfError, match="cannot use the MLflow store"):
        register(ctx, "tiny")
    ctx.paths.mlruns.unlink()
    study(ctx, "tiny")
    tracker = open_tracker(ctx)
    found = tracker.client.search_runs([tracker.experiment_id])
    assert sorted(
        run.data.tags["alf.key"].rpartition("/")[2] for run in found if "alf.trial" in run.data.tags
    ) == sorted(map(str, range(12)))
    assert {run.info.status for run in found} == {"FINISHED"}
    assert list(ctx.paths.spools.iterdir()) == []


@pytest.mark.long
def test_a_study_killed_again_and_again_ends_as_one_that_was_not(done, new_root):
    """Real fits, the real store and MLflow: killed with SIGKILL in the middle, started again until it ends."""
    whole, killed = new_root(), new_root()
    for root in (whole, killed):
        shutil.copytree(done.paths.root / "data", root / "data")
    killed_study.run(whole, **killed_study.LONGER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", "import killed_study; killed_study.main()", str(killed)]
    subprocess.run(command, env=environment, check=True)
    results = []
    for root in (whole, killed):
        rows = read_jsonl(root / "results" / "study" / "tiny" / "trials.jsonl")
        results.append([(row["number"], row["state"], row["score"], row["rates"]) for row in rows])
    assert results[0] == results[1]
    assert [row[0] for row in results[1]] == list(range(6))
    ctx = Context(done.params, Paths(killed), RecordingConsole())
    (parent,) = runs(ctx, "attributes.run_name = 'study tiny'")
    nested = runs(ctx, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert sorted(int(run.data.tags["alf.trial"]) for run in nested) == list(range(6))
    assert {run.info.status for run in nested} == {"FINISHED"}


def test_the_summary_has_the_scores_of_the_documents_and_says_what_to_use(done):
    summary = summary_of(done)
    [one] = summary.studies
    lock = read_lock(done.paths.schedules("tiny"))
    confirmed = {each.scheme: each.score.mean for each in one.schemes if each.texts == CONFIRMATION}
    assert confirmed["alf-1"] == lock.candidate("alf-1").mean
    assert confirmed["baseline"] == lock.references.baseline.mean
    films = read_json(done.paths.document("transfer", "tiny", "films"))
    tested = {each.scheme: each.score.mean for each in one.schemes if each.texts == "films"}
    assert tested == {scheme: found["score"]["mean"] for scheme, found in films["schemes"].items()}
    assert one.n_trials == 12
    lines = summary_lines(summary)
    which = ", which is plain fine-tuning," if one.best_is_baseline else ""
    assert lines[1].startswith(f"tiny: 12 trials, the best{which} with .")
    for is_baseline in (False, True):
        study = one.model_copy(update={"best_is_baseline": is_baseline})
        (line,) = [each for each in summary_lines(summary.model_copy(update={"studies": (study,)})) if "trials" in each]
        assert ("plain fine-tuning" in line) == is_baseline
    folder = done.paths.study_results("tiny")
    trials = read_trials(folder / "trials.jsonl")
    best, other = best_trial(trials), next(each for each in trials if each.rates != best_trial(trials).rates)
    assert one.best_is_baseline == (best.rates == read_study(folder).baseline_rates)
    assert f"trial {best.number}, plain fine-tuning, with" in study_summary("accuracy", trials, best.rates).note
    assert f"the best is trial {best.number} with" in study_summary("accuracy", trials, other.rates).note
    assert len({line.index("against plain") for line in lines if "against plain" in line and "texts" in line}) == 1
    assert not [line for line in lines if "report" in line.lower()]  # the last stage has named it
    assert (done.paths.report / "report.html").exists()
