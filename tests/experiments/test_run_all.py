"""`run` draws the samples that studies and experiments read, and no other."""

from pathlib import Path

import pytest

from finetune_alf.errors import InputError
from finetune_alf.experiments.registry import BUILT_IN, load_params
from finetune_alf.experiments.run_all import run_all, samples_read, stages_of
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context
from small_project import RecordingConsole

DEFAULT = Path("no params.yaml")


@pytest.mark.parametrize(
    ("overlay", "read"),
    [
        ("{}", ["films", "restaurants", "gadgets", "travel"]),
        ("transfer: {samples: [travel]}", ["films", "travel"]),
        ("transfer: {studies: []}", ["films"]),
        ("studies: {minilm: {sample: gadgets}}\ntransfer: {samples: []}", ["gadgets"]),
        (
            "studies: {minilm: ~}\ntransfer: {studies: [], samples: []}\n"
            "freeze: {tiny: {encoder: minilm, samples: [travel, films], recipe: {rates: {kind: uniform, rate: 1e-5}, "
            "batch: 8, epochs: 1, max_tokens: 16}}}",
            ["films", "travel"],
        ),
        ("studies: {minilm: ~}\ntransfer: {studies: []}", []),
    ],
)
def test_the_samples_of_a_run_are_those_that_it_reads(tmp_path: Path, overlay: str, read: list[str]) -> None:
    (tmp_path / "over.yaml").write_text(overlay)
    params = load_params(DEFAULT, ["default", str(tmp_path / "over.yaml")])
    assert samples_read(params, BUILT_IN) == read


def test_a_run_says_at_its_start_which_stages_follow_and_what_predicts_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("finetune_alf.experiments.run_all.prepare_all", lambda ctx, names: None)
    monkeypatch.setattr("finetune_alf.experiments.run_all.run_stage", stopped)
    monkeypatch.setattr("finetune_alf.experiments.run_all.load_average", lambda: 99.0)
    console, params = RecordingConsole(), load_params(DEFAULT, ["default"])
    with pytest.raises(KeyboardInterrupt):
        run_all(Context(params, Paths(tmp_path), console), BUILT_IN)
    *stages, time, busy = console.lines
    assert stages == [
        "Stages:",
        "  prepare films, restaurants, gadgets, travel",
        "  study minilm (16 trials), importance, register",
        "  transfer minilm on films, restaurants, gadgets, travel",
        "  report",
    ]
    command = f"`finetune-alf plan --root {tmp_path}`"
    assert time == f"Each stage shows the time that it has left; {command} predicts that of all."
    assert busy.startswith("This machine is busy: the load average is 99.0 on ")


def test_a_search_of_one_trial_is_said_to_be_of_one(tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text("studies: {minilm: {n_trials: 1}}")
    params = load_params(DEFAULT, ["default", str(tmp_path / "over.yaml")])
    assert "study minilm (1 trial), importance, register" in stages_of(params, BUILT_IN)


def test_what_is_not_prepared_is_named(root: Path) -> None:
    (root / "over.yaml").write_text("studies: {minilm: ~}\ntransfer: {studies: []}")
    console = RecordingConsole()
    params = load_params(DEFAULT, ["default", str(root / "over.yaml")])
    with pytest.raises(InputError, match="results: must hold what a stage has written"):
        run_all(Context(params, Paths(root), console), BUILT_IN)
    assert not list((root / "data").rglob("card.json"))
    assert console.lines[0] == (
        "Not prepared, because no study and no experiment reads it: films, restaurants, gadgets, travel."
    )


def test_a_study_that_cannot_be_confirmed_is_refused_before_its_search(tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text("samples: {films: {n_confirmation: 0}}")
    params = load_params(DEFAULT, ["default", str(tmp_path / "over.yaml")])
    with pytest.raises(
        InputError, match=r"films\.n_confirmation: must be above 1, since the trials of minilm"
    ) as refused:
        run_all(Context(params, Paths(tmp_path), RecordingConsole()), BUILT_IN)
    assert f"search alone with `finetune-alf study minilm --root {tmp_path}`" in str(refused.value)
    assert not (tmp_path / "data").exists()
