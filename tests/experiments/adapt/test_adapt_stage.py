"""The stage from the command line to the report, on a tiny checkpoint and the corpus of the package."""

import shutil
from pathlib import Path
from statistics import fmean

import pytest
from click.testing import CliRunner, Result
from tiny_checkpoint import as_spec, save_checkpoint

from finetune_alf.checksums import with_short_digests
from finetune_alf.cli.entry import group
from finetune_alf.compute import Compute
from finetune_alf.data.sample import load_card
from finetune_alf.experiments.adapt.document import AdaptDocument, AdaptLine
from finetune_alf.experiments.adapt.page import adapt_part
from finetune_alf.experiments.adapt.record import NEW_HEAD_NOTE
from finetune_alf.experiments.registry import load_params
from finetune_alf.files import file_digest
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.json_files import read_json
from finetune_alf.paths import Paths
from finetune_alf.tracking.mlflow import MlflowTracker

PARAMS = """
project: small
compute: {n_threads: 1, precision: fp32}
encoders:
  tiny: {kind: folder, path: checkpoint}
  further: {kind: adapted, adapt: films}
samples:
  films:
    source: {kind: mini, domain: films}
    n_train: 32
    n_validation: 24
    n_confirmation: 16
    n_test: 40
    max_train_frac: 0.2
studies:
  minilm:
    encoder: further
    sample: films
    space: {kind: choices, rates: [0, 1e-4]}
    recipe: {rates: {kind: uniform, rate: 1e-4}, batch: 8, epochs: 1, max_tokens: 16}
    n_trials: 2
adapt:
  films:
    encoder: tiny
    sample: films
    epochs: 2
    batch: 8
    max_tokens: 24
    rate: 1e-2
    whole_words: true
    warm_up_head: {n_steps: 20, rate: 1e-3}
    n_seeds: 2
    recipe:
      rates: {kind: uniform, rate: 1e-3, head: 1e-2}
      allow_forgetting: true
      batch: 8
      epochs: 1
      max_tokens: 16
"""


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "--root", str(root)])


def change(root: Path, old: str, new: str) -> None:
    text = (root / "params.yaml").read_text()
    assert old in text
    (root / "params.yaml").write_text(text.replace(old, new, 1))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(PARAMS)
    save_checkpoint(root / "checkpoint", "BertModel")
    assert run(root, "prepare").exit_code == 0
    return root


@pytest.fixture(scope="module")
def done(prepared: Path) -> Path:
    result = run(prepared, "adapt", "films")
    assert result.exit_code == 0, result.stderr
    assert NEW_HEAD_NOTE in result.stdout  # the checkpoint has no head
    return prepared


@pytest.fixture(scope="module")
def document(done: Path) -> AdaptDocument:
    return AdaptDocument.read(Paths(done).document("adapt", "films"))


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    return shutil.copytree(done, tmp_path / "copy")


def test_before_it_has_run_its_encoder_is_refused_with_the_command_to_run(prepared: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(prepared, tmp_path / "copy", ignore=shutil.ignore_patterns("encoders"))
    for words in (["anatomy", "minilm"], ["study", "minilm"], ["encoder", "further"]):
        result = run(copy, *words)
        assert result.exit_code == 3
        assert f"{copy}/data/encoders/films: must contain the encoder of adapt.films" in result.stderr
        assert f"`finetune-alf adapt films --root {copy}`" in result.stderr


def test_its_folder_is_an_encoder_wherever_one_is_named(done: Path) -> None:
    result = run(done, "anatomy", "minilm")
    assert result.exit_code == 0, result.stderr
    identity = as_spec(done / "data" / "encoders" / "films").identity()
    assert result.stdout.splitlines()[0] == f"further: {with_short_digests(identity)}"
    assert run(done, "encoder").exit_code == 0
    further, tiny = (read_json(Paths(done).encoder_card(name)) for name in ("further", "tiny"))
    assert further == {"name": "further", "kind": "adapted", "identity": identity}
    assert tiny["identity"] != identity


def test_the_record_has_the_losses_the_texts_and_the_weights(done: Path, document: AdaptDocument) -> None:
    record = document.record
    assert record.losses.after < record.losses.before
    assert record.texts.source == "sample films, training split"
    assert (record.texts.n_texts, record.texts.n_held_out) == (32, 24)
    assert record.sha256 == file_digest(done / "data" / "encoders" / "films" / "model.safetensors")


def test_both_encoders_are_compared_with_the_same_seeds(done: Path, document: AdaptDocument) -> None:
    cells = AdaptLine.read_lines(Paths(done).cells("adapt", "films"))
    plain, adapted = ([cell for cell in cells if cell.variant == variant] for variant in ("plain", "adapted"))
    assert [cell.seed for cell in plain] == [cell.seed for cell in adapted]
    assert len({cell.seed for cell in plain}) == 2
    assert plain[0].epochs[0].train_loss != adapted[0].epochs[0].train_loss
    comparison = document.comparison
    assert comparison.scores["plain"].mean == pytest.approx(fmean(cell.score for cell in plain))
    assert comparison.scores["adapted"].mean == pytest.approx(fmean(cell.score for cell in adapted))
    gain = comparison.scores["adapted"].mean - comparison.scores["plain"].mean
    assert comparison.difference.mean == pytest.approx(gain)
    assert comparison.diverged == ()


def test_each_cell_is_a_fit_from_the_encoder_that_it_names(done: Path) -> None:
    paths, spec = Paths(done), load_params(done / "params.yaml").adapt["films"]
    digest = load_card(paths.sample("films")).digest
    fit_runner = FitRunner({digest: paths.sample("films")}, Compute("cpu", "fp32", n_threads=1))
    folders = {"plain": done / "checkpoint", "adapted": paths.adapted("films")}
    for cell in AdaptLine.read_lines(paths.cells("adapt", "films")):
        job = FitJob("", spec.recipe, as_spec(folders[cell.variant]), digest, cell.seed, "fp32", "test")
        assert fit_runner(job, lambda metrics: True).loss == cell.loss


def test_a_finished_adaptation_is_not_repeated_and_a_lost_result_is_written_again(copy: Path) -> None:
    weights, results = copy / "data" / "encoders" / "films" / "model.safetensors", copy / "results" / "adapt"
    before, written = {file.name: file.read_bytes() for file in results.iterdir()}, weights.stat().st_mtime_ns
    shutil.rmtree(results)
    result = run(copy, "adapt")
    assert result.exit_code == 0, result.stderr
    assert weights.stat().st_mtime_ns == written
    assert {file.name: file.read_bytes() for file in results.iterdir()} == before


def test_mlflow_has_the_adaptation_and_every_cell_below_one_parent(done: Path, document: AdaptDocument) -> None:
    tracker = MlflowTracker(done, experiment="finetune_alf.small")
    runs = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.adapt` = 'films'", max_results=50)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    nested = {run.info.run_name: run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id}
    assert set(nested) == {
        "further pre-training of tiny",
        *(f"{variant}/seed-{index}" for variant in ("plain", "adapted") for index in range(2)),
    }
    trained = nested["further pre-training of tiny"]
    assert trained.data.metrics["mlm/loss.after"] == pytest.approx(document.record.losses.after)
    points = tracker.client.get_metric_history(trained.info.run_id, "mlm/train_loss")
    assert sorted(point.step for point in points) == [point.step for point in document.record.loss_curve]
    assert parent.data.metrics["score/adapted"] == pytest.approx(document.comparison.scores["adapted"].mean)


def test_the_report_contains_the_adaptation_and_its_figure(done: Path) -> None:
    result = run(done, "report")
    assert result.exit_code == 0, result.stderr
    report = done / "results" / "report"
    assert adapt_part(Paths(done)).section.markdown in (report / "report.md").read_text("utf-8")
    assert (report / "figures" / "films-adapt.png").read_bytes().startswith(b"\x89PNG")


def test_adapted_with_other_settings_it_is_another_encoder_to_a_study(done: Path, copy: Path) -> None:
    assert run(copy, "study", "minilm").exit_code == 0
    (first,) = (copy / "studies").glob("minilm-*.db")
    change(copy, "    rate: 1e-2", "    rate: 2e-2")
    for words in (["adapt", "films"], ["encoder", "further"], ["study", "minilm"]):
        result = run(copy, *words)
        assert result.exit_code == 0, result.stderr
    assert len(set((copy / "studies").glob("minilm-*.db")) - {first}) == 1
    card, study = (read_json(copy / "results" / path) for path in ("encoder/further.json", "study/minilm/study.json"))
    assert study["encoder"]["identity"] == card["identity"]
    assert card["identity"] != as_spec(done / "data" / "encoders" / "films").identity()


def test_without_a_recipe_nothing_is_fine_tuned(copy: Path) -> None:
    change(copy, PARAMS[PARAMS.index("    recipe:\n      rates") :], "")
    result = run(copy, "adapt", "films")
    assert result.exit_code == 0, result.stderr
    assert AdaptDocument.read(Paths(copy).document("adapt", "films")).comparison is None
    assert AdaptLine.read_lines(Paths(copy).cells("adapt", "films")) == ()


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("adapt: films}", "adapt: flims}", "encoders.further.adapt"),
        ("    encoder: tiny", "    encoder: further", "adapt.films.encoder"),
        ("    epochs: 2", "    epochs: 2\n    n_steps: 9", "adapt.films"),
        ("    epochs: 2\n", "", "adapt.films"),
        ("    whole_words", "    column: text\n    whole_words", "adapt.films"),
    ],
    ids=["unknown adaptation", "adapted twice", "epochs and steps", "neither of them", "a column without a file"],
)
def test_what_does_not_fit_is_refused_by_its_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    change(tmp_path, old, new)
    result = run(tmp_path, "adapt", "films")
    assert result.exit_code == 3
    assert f" {key}: " in result.stderr


def test_a_metric_of_other_labels_is_refused(copy: Path) -> None:
    change(copy, "    n_seeds: 2", "    metric: pearson\n    n_seeds: 2")
    result = run(copy, "adapt", "films")
    assert result.exit_code == 3
    assert " adapt.films.metric: must be accuracy" in result.stderr
