"""What `params check` and `run` say of schedules that schemes name, before a search of hours."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.errors import ScheduleError
from finetune_alf.experiments.run_all import run_all
from finetune_alf.schedules import Schedule
from finetune_alf.schedules.published import published
from small_project import PARAMS, context_of

RECIPE = "recipe: {rates: {kind: uniform, rate: 1e-5}, epochs: 1, batch: 8, max_tokens: 16}"
BED = "schemes: {{bed: {{encoder: tiny, samples: [films], stretch: {stretch}, schemes: {schemes}, {recipe}}}}}"
FEW = (
    "labels: {{few: {{encoder: tiny, samples: [films], n_train: [16], n_validation: 8, schemes: [baseline, {scheme}], "
    "{recipe}}}}}"
)
DEEP = "must be a schedule for the 2 layers of the encoder, but distilbert-alf-1 has 6"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "damaged.json").write_text("{}")
    (tmp_path / "small.json").write_text(two_layers().to_json())
    return tmp_path


def two_layers() -> Schedule:
    return published("distilbert-alf-1").stretch(2)


def told(root: Path, overlay: str) -> str:
    (root / "over.yaml").write_text(overlay)
    words = ["params", "check", "--params", str(root / "over.yaml"), "--root", str(root)]
    return CliRunner().invoke(group, words).stderr


def bed(schemes: str, stretch: str = "false") -> str:
    return BED.format(stretch=stretch, schemes=schemes, recipe=RECIPE)


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ("transfer: {schemes: [baseline, distilbert-alf-1]}", f"transfer.schemes.1: {DEEP}"),
        ("transfer: {schemes: [baseline, gone.json]}", "transfer.schemes.1: "),
        ("transfer: {schemes: [baseline, damaged.json]}", "transfer.schemes.1: "),
        ("fit: {tiny: {scheme: distilbert-alf-1}}", f"fit.tiny.scheme: {DEEP}"),
        (FEW.format(scheme="distilbert-alf-1", recipe=RECIPE), f"labels.few.schemes.1: {DEEP}"),
        (bed("[fixed, distilbert-alf-1+gradual, gone.json]"), "schemes.bed.schemes.2: "),
        (bed("[fixed, distilbert-alf-1]"), f"schemes.bed.schemes.1: {DEEP}"),
    ],
)
def test_a_schedule_that_cannot_be_taken_has_its_place(root: Path, overlay: str, message: str) -> None:
    assert message in told(root, overlay)


@pytest.mark.parametrize(
    "overlay",
    [
        "transfer: {schemes: [baseline, small.json, {kind: schedule, of: distilbert-alf-1, stretch: true}]}",
        "fit: {tiny: {scheme: long}}\n"
        "transfer: {schemes: [baseline, {kind: schedule, of: distilbert-alf-1, stretch: true, name: long}]}",
        "transfer: {schemes: [baseline, results/artifacts/tiny/alf-1.json, alf-tiny@alf-1]}",  # these come later
        bed("[fixed, distilbert-alf-1, small.json]", "true"),
    ],
)
def test_others_are_not_told_of(root: Path, overlay: str) -> None:
    assert told(root, overlay) == ""


def test_a_run_says_so_before_a_sample_is_drawn(root: Path) -> None:
    params = PARAMS.replace("[feature_extraction, baseline,", "[gone.json, baseline,")
    assert params != PARAMS
    (root / "params.yaml").write_text(params)
    ctx = context_of(root)
    with pytest.raises(ScheduleError, match=r"^transfer\.schemes\.0: .*gone\.json: must be a readable file"):
        run_all(ctx, ())
    assert not ctx.paths.sample("films").exists()
