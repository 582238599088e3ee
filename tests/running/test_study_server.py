"""Which server holds the studies, by params.yaml and by the environment; and the password of its URL stays there."""

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from finetune_alf.errors import ParamsError
from finetune_alf.experiments.registry import load_params
from finetune_alf.params import Params
from finetune_alf.running.prepare import prepare
from finetune_alf.running.study import study
from finetune_alf.running.study_server import study_server
from finetune_alf.study.server import StudyServer
from postgres_server import PASSWORD, PostgresServer
from small_project import PARAMS, small_context

URL = "postgresql://alf@db.example.org/studies"
SECRET = f"postgresql://alf:{PASSWORD}@db.example.org/studies"


def params(tmp_path: Path, *settings: str, project: str = "small") -> Params:
    path = tmp_path / "params.yaml"
    path.write_text("\n".join([PARAMS.replace("project: small", f"project: {project}"), *settings]))
    return load_params(path)


def test_without_a_url_studies_are_files(tmp_path: Path) -> None:
    assert study_server(params(tmp_path), {}) is None
    assert study_server(params(tmp_path, "study_store: {}"), {"ALF_STUDY_STORE": ""}) is None


def test_the_environment_replaces_the_url_of_params_yaml(tmp_path: Path) -> None:
    given = params(tmp_path, f"study_store: {{url: '{URL}'}}")
    assert study_server(given, {}) == StudyServer(URL, "small")
    assert study_server(given, {"ALF_STUDY_STORE": SECRET}) == StudyServer(SECRET, "small")


@pytest.mark.parametrize(
    "url", [SECRET, f"{URL}?password={PASSWORD}", f"{URL}?sslpassword={PASSWORD}", f"mysql://u:{PASSWORD}@h/d"]
)
def test_params_yaml_takes_no_password_and_its_error_shows_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(ParamsError, match=r"params.yaml:\d+:\d+ study_store.url: must be postgresql://") as failure:
        params(tmp_path, f"study_store: {{url: '{url}'}}")
    assert PASSWORD not in str(failure.value)


def test_a_bad_url_of_the_environment_is_named_without_its_value(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="ALF_STUDY_STORE: must be postgresql://") as failure:
        study_server(params(tmp_path), {"ALF_STUDY_STORE": f"mysql://u:{PASSWORD}@h/d"})
    assert PASSWORD not in str(failure.value)


def test_a_project_on_a_server_has_a_name(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"project: must be a name where studies are on a server"):
        params(tmp_path, f"study_store: {{url: '{URL}'}}", project="auto")
    with pytest.raises(ParamsError, match=r"project: must be a name where studies are on a server"):
        study_server(params(tmp_path, project="auto"), {"ALF_STUDY_STORE": URL})


def test_no_file_and_no_message_has_the_password(
    root: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, caplog: Any, capfd: Any
) -> None:
    monkeypatch.setenv("ALF_STUDY_STORE", postgres.url)
    ctx = small_context(root, **{"n_trials: 12": "n_trials: 2"})
    prepare(ctx, "films")
    with caplog.at_level(logging.DEBUG):
        study(ctx, "tiny")
    assert not list(root.glob("studies/*.db"))
    assert (root / "results/study/tiny/study.json").exists()
    assert any(name.startswith("small/tiny/") for name in postgres.sql("SELECT study_name FROM studies"))
    shown = caplog.text + "".join(capfd.readouterr())
    assert PASSWORD not in shown
    for folder, _, files in os.walk(root):
        for name in files:
            assert PASSWORD.encode() not in (Path(folder) / name).read_bytes(), name
