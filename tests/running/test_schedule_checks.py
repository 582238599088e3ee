"""What `params check` and `run` say of schedules that schemes name, before a search of hours."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.errors import ScheduleError
from finetune_alf.experiments.run_all import run_all
from finetune_alf.rates import ListedRates
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
LOW = (
    "studies: {tiny: {space: {rates: [0, 1e-5]}, enqueue: ~, "
    "recipe: {rates: {rate: 1e-5, head: 1e-5}, allow_forgetting: false}}}"
)
HIGH = "high.json: must have rates of at most 1e-4 for embeddings and layers, but got 4e-4"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "damaged.json").write_text("{}")
    (tmp_path / "six.json").write_text(published("distilbert-alf-1").to_json())
    (tmp_path / "small.json").write_text(two_layers().to_json())
    (tmp_path / "high.json").write_text(high().to_json())
    return tmp_path


def high() -> Schedule:
    own = two_layers()
    rates = ListedRates(embeddings=0.0, layers=(0.0, 4e-4), head=1e-3)
    return own.model_copy(update={"recipe": own.recipe.model_copy(update={"rates": rates, "allow_forgetting": True})})


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
        (f"{LOW}\ntransfer: {{schemes: [baseline, high.json]}}", f"transfer.schemes.1: {HIGH}"),
        (f"{LOW}\nfit: {{tiny: {{scheme: high.json}}}}", f"fit.tiny.scheme: {HIGH}"),
        (bed("[fixed, high.json]"), f"schemes.bed.schemes.1: {HIGH}"),
        (
            "fit: {tiny: {scheme: six.json}}\ntransfer: {schemes: [baseline, {kind: schedule, of: six.json, "
            "stretch: true}]}",
            "fit.tiny.scheme: must be a schedule for the 2 layers of the encoder, but six.json has 6",
        ),
    ],
)
def test_a_schedule_that_cannot_be_taken_has_its_place(root: Path, overlay: str, message: str) -> None:
    assert message in told(root, overlay).replace(f"{root}/", "")


@pytest.mark.parametrize(
    "overlay",
    [
        "transfer: {schemes: [baseline, small.json, {kind: schedule, of: distilbert-alf-1, stretch: true}]}",
        "fit: {tiny: {scheme: long}}\n"
        "transfer: {schemes: [baseline, {kind: schedule, of: distilbert-alf-1, stretch: true, name: long}]}",
        "transfer: {schemes: [baseline, results/artifacts/tiny/alf-1.json, alf-tiny@alf-1]}",  # these come later
        bed("[fixed, distilbert-alf-1, small.json]", "true"),
        bed("[fixed, high.json]").replace("max_tokens: 16", "max_tokens: 16, allow_forgetting: true"),
        "transfer: {schemes: [baseline, high.json]}\nfit: {tiny: {scheme: high.json}}",  # as the study's recipe allows
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
