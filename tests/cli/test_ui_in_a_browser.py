"""MLflow's pages as a reader sees them: the link that `finetune-alf ui` prints, in a real browser."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import finetune_alf
from finetune_alf.experiments.transfer.stage import transfer
from finetune_alf.running.parent_run import open_tracker
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.study import study
from small_project import small_context

pytestmark = pytest.mark.long
N_TRIALS = 4


@pytest.fixture(scope="module")
def project(empty_store, tmp_path_factory):
    """A project after a study, its registration and a transfer."""
    root = tmp_path_factory.mktemp("pages") / "project"
    shutil.copytree(empty_store, root)
    fewer = {"n_trials: 12": f"n_trials: {N_TRIALS}", "alf-1, alf-2, decayed]": "alf-1]"}
    ctx = small_context(root, **fewer)
    prepare(ctx, "films")
    study(ctx, "tiny")
    register(ctx, "tiny")
    transfer(ctx, "tiny", "films")
    return ctx


@pytest.fixture(scope="module")
def ui(project):
    """The running command, and the link that it printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "finetune_alf.cli", "ui", "--no-open", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path(finetune_alf.__file__).parents[1])}
    environment.pop("MLFLOW_TRACKING_URI", None)
    process = subprocess.Popen(
        [*command, "--root", str(project.paths.root)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield process, next(line.strip() for line in process.stdout if line.startswith("http"))
    finally:
        process.terminate()  # it ends its server
        process.wait(60)
        process.stdout.close()


@pytest.fixture
def page(browser):
    """A page of a reader who was not here before: MLflow remembers views in the browser."""
    with browser.new_context(viewport={"width": 1600, "height": 900}) as context:
        context.set_default_timeout(60_000)
        yield context.new_page()


def test_the_printed_link_opens_the_trials_by_score_with_their_rates(page, ui):
    page.goto(ui[1])
    for text in (*(f"trial {number}" for number in range(N_TRIALS)), "rates.layer.0", "rates.head", "Trials by score"):
        page.get_by_text(text, exact=True).first.wait_for()
    assert "score/validation.accuracy" in page.get_by_test_id("sort-select-dropdown").inner_text()
    assert page.get_by_text("study tiny", exact=True).count() == 0


def test_the_charts_of_that_view_are_rates_and_curves(page, ui):
    page.goto(f"{ui[1]}&compareRunsMode=CHART")
    for text in ("Parallel Coordinates", "validation/accuracy", "validation/loss"):
        page.get_by_text(text, exact=True).first.wait_for()


def test_the_run_list_has_parents_with_their_trials_below_and_the_shipped_views(page, ui):
    page.goto(ui[1].replace("&viewStateShareKey=trials", ""))
    parent = page.locator("[role=row]", has_text="study tiny").first
    parent.wait_for()
    assert page.get_by_text("register tiny", exact=True).count() == 1
    parent.locator("button").first.click()
    page.get_by_text("trial 3", exact=True).first.wait_for()
    page.get_by_test_id("saved-views-trigger").click()
    for view in ("Trials by score", "Confirmation", "Transfer"):
        page.get_by_text(view, exact=True).first.wait_for()


def test_the_view_of_the_confirmation_has_its_fits_by_candidate_and_seed(page, ui, project):
    page.goto(ui[1].replace("=trials", "=confirmation"))
    tracker = open_tracker(project)
    fits = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.candidate` != ''")
    assert fits
    for text in ("Confirmation", "alf.candidate", "alf.seed", "rates.head", *(run.info.run_name for run in fits)):
        page.get_by_text(text, exact=True).first.wait_for()
    assert "score/confirmation.accuracy" in page.get_by_test_id("sort-select-dropdown").inner_text()
    assert page.get_by_text("trial 0", exact=True).count() == 0


def test_the_view_of_transfers_has_their_fits_by_scheme_and_sample(page, ui, project):
    page.goto(ui[1].replace("=trials", "=transfer"))
    tracker = open_tracker(project)
    fits = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.stage` = 'transfer'")
    assert len(fits) == 6
    for text in ("Transfer", "alf.scheme", "alf.sample", "films", *(run.info.run_name for run in fits)):
        page.get_by_text(text, exact=True).first.wait_for()
    assert "score/test.accuracy" in page.get_by_test_id("sort-select-dropdown").inner_text()
    assert page.get_by_text("trial 0", exact=True).count() == 0


def test_three_trials_are_compared_by_the_logarithms_of_their_rates(page, ui, project):
    tracker = open_tracker(project)
    found = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.trial` != ''", max_results=3)
    ids = json.dumps([run.info.run_id for run in found], separators=(",", ":"))
    page.goto(f'{ui[1].partition("#")[0]}#/compare-runs?runs={ids}&experiments=["{tracker.experiment_id}"]')
    page.get_by_text("Comparing 3 Runs from 1 Experiment").wait_for()
    page.get_by_text("rate_log10/embeddings").first.wait_for()


def test_the_page_of_a_model_says_what_the_schedule_is_worth(page, ui):
    page.goto(f"{ui[1].partition('#')[0]}#/models/alf-small.tiny/versions/1")
    page.get_by_text("Learning rates for each layer of an encoder").wait_for()
    page.get_by_text("verdict:").first.wait_for()
    page.get_by_text("alf-1").first.wait_for()


def test_the_server_offers_no_gateway_to_language_models(ui):
    address = f"{ui[1].partition('/#')[0]}/ajax-api/3.0/mlflow/server-info"
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - the command's own server
        assert json.load(answer)["features_enabled"]["gateway"] is False


def test_ctrl_c_ends_the_server_with_the_command(ui):
    process, link = ui
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert "has ended" in process.stdout.read()
    port = int(link.split(":")[2].partition("/")[0])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
