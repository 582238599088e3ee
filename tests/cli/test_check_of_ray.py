"""`params check` says which package the executor lacks."""

import importlib.util
from pathlib import Path

import pytest
from click.testing import CliRunner

import finetune_alf
from finetune_alf.cli.entry import group


@pytest.mark.parametrize(("is_installed", "exit_code"), [(True, 0), (False, 3)])
def test_ray_must_be_installed_where_the_executor_is_ray(
    tmp_path: Path, is_installed: bool, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets = Path(finetune_alf.__file__).parent / "presets"
    (tmp_path / "params.yaml").write_text((presets / "default.yaml").read_text())
    (tmp_path / "ray.yaml").write_text("compute: {executor: ray}\n")
    found = importlib.util.find_spec
    without = () if is_installed else ("ray",)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in without else found(name))
    arguments = ["params", "check", "--root", str(tmp_path), "--params", str(tmp_path / "ray.yaml")]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == exit_code
    assert ('pip install "finetune-alf[ray]"' in result.stderr) == (not is_installed)
