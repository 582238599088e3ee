"""The stage `report` where MLflow is a server."""

from pathlib import Path

import pytest
from report_tree import write_lock

from finetune_alf.experiments.registry import load_params
from finetune_alf.paths import Paths
from finetune_alf.report import contents
from finetune_alf.report.views import study_views
from finetune_alf.running.context import Context
from finetune_alf.running.parent_run import open_tracker
from finetune_alf.running.report import report
from small_project import PARAMS, RecordingConsole


@pytest.mark.parametrize(("project", "title"), [("reviews", "My study: reviews"), ("auto", "My study")])
def test_the_title_has_the_name_of_a_project_that_has_one(tmp_path: Path, project: str, title: str) -> None:
    paths = Paths(tmp_path)
    write_lock(paths)
    params = tmp_path / "params.yaml"
    named = PARAMS.replace("project: small", f"project: {project}")
    params.write_text(f"{named}\nreport: {{title: My study}}\n")
    report(Context(load_params(params), paths, RecordingConsole()))
    assert f"<title>{title}</title>" in (paths.report / "report.html").read_text("utf-8")
    assert (paths.report / "report.md").read_text("utf-8").startswith(f"# {title}\n")


def test_the_page_links_to_the_server_of_params_without_credentials_also_while_it_is_down(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_lock(paths)
    params = tmp_path / "params.yaml"
    params.write_text(f"{PARAMS}\ntracking: {{uri: 'http://me:secret@127.0.0.1:9'}}\n")
    console = RecordingConsole()
    report(Context(load_params(params), paths, console))
    for page in ("report.md", "report.html"):
        text = (paths.report / page).read_text("utf-8")
        assert "http://127.0.0.1:9/#/models/alf-minilm/versions/1" in text
        assert "secret" not in text
    assert any("not in MLflow" in line for line in console.lines)


def test_results_are_read_and_drawn_once_for_the_page_and_for_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths(tmp_path)
    write_lock(paths)
    params = tmp_path / "params.yaml"
    params.write_text(f"{PARAMS}\nreport: {{title: My study}}\n")
    ctx = Context(load_params(params), paths, RecordingConsole())
    open_tracker(ctx)
    calls = []
    monkeypatch.setattr(contents, "study_views", lambda *given: (calls.append(1), study_views(*given))[1])
    report(ctx)
    assert len(calls) == 1
    tracker = open_tracker(ctx)
    assert "report.html" in {file.path for file in tracker.client.list_artifacts(tracker.find_run("report"))}
