"""What dvc.yaml names must be written out in params.yaml; DVC itself says so after the stage has run."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from finetune_alf.cli.entry import group
from finetune_alf.params.presets import find_source

DVC = """
stages:
  study:
    foreach: ${studies}
    do:
      cmd: exec finetune-alf study ${key}
      params: [tracking, project, transfer.n_seeds, 'studies.${key}']
  freeze:
    foreach: ${freeze}
    do:
      cmd: exec finetune-alf freeze ${key}
      params: [compute, other.yaml: [a]]
  plots: {cmd: make}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(DVC)
    text = find_source("default").text
    kept = [
        line for line in text.splitlines() if not line.startswith(("tracking:", "project:", "freeze:", "  n_seeds: 5"))
    ]
    (tmp_path / "params.yaml").write_text("\n".join(kept) + "\n")
    return tmp_path


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "--root", str(root)])


def test_check_names_every_section_that_dvc_would_miss(root: Path) -> None:
    told = run(root, "params", "check")
    assert told.exit_code == 3
    reason = "must be given, since dvc.yaml names it and DVC knows no defaults. Add"
    for key, line in (("tracking", "tracking: {}"), ("project", "project: auto"), ("freeze", "freeze: {}")):
        assert f" {key}: {reason} `{line}`" in told.stderr
    assert "compute" not in told.stderr
    assert "studies" not in told.stderr


def test_a_stage_of_dvc_ends_before_it_fits_anything(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "study@minilm")
    told = run(root, "study", "minilm")
    assert told.exit_code == 3
    assert "tracking: must be given, since dvc.yaml names it" in told.stderr
    assert not (root / "studies").exists()


@pytest.mark.parametrize("text", ["", "[", "stages: 1", "stages: {a: 1, b: {params: 2, foreach: [x]}}", "a: &a [*a]"])
def test_a_dvc_yaml_that_cannot_be_read_is_left_to_dvc(root: Path, text: str) -> None:
    (root / "dvc.yaml").write_text(text)
    assert run(root, "params", "check").exit_code == 0
