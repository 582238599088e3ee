"""The stage from the words on the command line to the report, on a tiny checkpoint and the corpus of the package."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tiny_checkpoint import as_spec, save_checkpoint

from finetune_alf.cli.entry import group
from finetune_alf.files import file_digest, read_json, read_jsonl, write_json
from finetune_alf.tracking.mlflow import MlflowTracker

PARAMS = """
compute: {n_threads: 1}
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
    epochs: 6
    batch: 8
    max_tokens: 24
    rate: 1e-2
    whole_words: true
    precision: fp32
    n_seeds: 2
    n_resamples: 200
    recipe:
      rates: {kind: uniform, rate: 1e-3, head: 1e-2}
      allow_forgetting: true
      batch: 8
      epochs: 2
      max_tokens: 16
      precision: fp32
"""


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "--root", str(root)])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(PARAMS)
    save_checkpoint(root / "checkpoint", "BertModel")
    assert run(root, "prepare").exit_code == 0
    return root


@pytest.fixture(scope="module")
def done(prepared: Path) -> Path:
    told = run(prepared, "adapt", "films")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith("films: loss on held-out texts ")
    assert "No gain is to be expected" in told.stdout  # the checkpoint has no head
    return prepared


def test_before_it_has_run_its_encoder_names_the_command(prepared: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(prepared, tmp_path / "copy", ignore=shutil.ignore_patterns("encoders"))
    for words in (["anatomy", "minilm"], ["study", "minilm"], ["encoder", "further"]):
        told = run(copy, *words)
        assert told.exit_code == 3
        assert f"{copy}/data/encoders/films: must contain the encoder of adapt.films" in told.stderr
        assert told.stderr.endswith("Run `finetune-alf adapt films` first.\n")


def test_its_folder_is_an_encoder_wherever_one_is_named(done: Path) -> None:
    told = run(done, "anatomy", "minilm")
    assert told.exit_code == 0, told.stderr
    identity = as_spec(done / "data" / "encoders" / "films").identity()
    assert told.stdout.splitlines()[0] == f"further: {identity}"
    assert run(done, "encoder").exit_code == 0
    assert read_json(done / "results" / "encoder" / "further.json") == {
        "name": "further",
        "kind": "adapted",
        "identity": identity,
    }
    assert read_json(done / "results" / "encoder" / "tiny.json")["identity"] != identity


def test_the_results_hold_losses_and_both_sides_under_the_same_seeds(done: Path) -> None:
    told = read_json(done / "results" / "adapt" / "films.json")
    assert told["losses"]["after"] < told["losses"]["before"]
    assert told["texts"]["source"] == "sample films, training split"
    assert (told["texts"]["n_texts"], told["texts"]["n_held_out"]) == (32, 24)
    rows = read_jsonl(done / "results" / "adapt" / "films.jsonl")
    seeds = {side: [row["seed"] for row in rows if row["side"] == side] for side in ("without", "with")}
    assert seeds["without"] == seeds["with"]
    assert len(set(seeds["with"])) == 2
    compared = told["comparison"]
    for side, own in compared["sides"].items():
        scores = [row["score"] for row in rows if row["side"] == side]
        assert own["mean"] == pytest.approx(sum(scores) / 2)
    gain = compared["sides"]["with"]["mean"] - compared["sides"]["without"]["mean"]
    assert compared["difference"]["mean"] == pytest.approx(gain)
    assert compared["diverged"] == []
    firsts = {row["side"]: row["epochs"][0]["train_loss"] for row in rows[::2]}
    assert firsts["without"] != firsts["with"]


def test_what_is_done_is_not_done_again_and_a_lost_result_comes_back(done: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(done, tmp_path / "copy")
    weights, result = copy / "data" / "encoders" / "films" / "model.safetensors", copy / "results" / "adapt"
    before, written = {file.name: file.read_bytes() for file in result.iterdir()}, weights.stat().st_mtime_ns
    shutil.rmtree(result)
    told = run(copy, "adapt")
    assert told.exit_code == 0, told.stderr
    assert weights.stat().st_mtime_ns == written
    assert {file.name: file.read_bytes() for file in result.iterdir()} == before


def test_mlflow_has_the_adaptation_and_every_cell_below_one_parent(done: Path) -> None:
    tracker = MlflowTracker(done)
    runs = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.adapt` = 'films'", max_results=50)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    nested = {run.info.run_name: run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id}
    assert set(nested) == {
        "further pre-training of tiny",
        *(f"{side}/seed-{index}" for side in ("without", "with") for index in range(2)),
    }
    told = read_json(done / "results" / "adapt" / "films.json")
    trained = nested["further pre-training of tiny"]
    assert trained.data.metrics["mlm.loss.after"] == pytest.approx(told["losses"]["after"])
    points = tracker.client.get_metric_history(trained.info.run_id, "mlm.train.loss")
    assert sorted(point.step for point in points) == [point["step"] for point in told["curve"]]
    assert parent.data.metrics["with.accuracy"] == pytest.approx(told["comparison"]["sides"]["with"]["mean"])


def test_the_report_shows_it_with_and_without(done: Path) -> None:
    told = run(done, "report")
    assert told.exit_code == 0, told.stderr
    page = (done / "results" / "report" / "report.md").read_text("utf-8")
    record = read_json(done / "results" / "adapt" / "films.json")
    assert f"{record['losses']['before']:.3f}" in page
    assert f"{record['losses']['after']:.3f}" in page
    assert record["comparison"]["difference"]["verdict"] in page
    assert "No gain is to be expected" in page  # the checkpoint has no head
    assert "15% of the whole words" in page
    assert (done / "results" / "report" / "figures" / "films-adapt.png").read_bytes().startswith(b"\x89PNG")


def test_adapted_anew_it_is_another_encoder_to_a_study(done: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(done, tmp_path / "copy")
    assert run(copy, "study", "minilm").exit_code == 0
    (first,) = (copy / "studies").glob("minilm-*.db")
    text = (copy / "params.yaml").read_text()
    (copy / "params.yaml").write_text(text.replace("    rate: 1e-2", "    rate: 2e-2"))
    for words in (["adapt", "films"], ["encoder", "further"], ["study", "minilm"]):
        told = run(copy, *words)
        assert told.exit_code == 0, told.stderr
    assert len(set((copy / "studies").glob("minilm-*.db")) - {first}) == 1
    card, study = (read_json(copy / "results" / path) for path in ("encoder/further.json", "study/minilm/study.json"))
    assert study["encoder"]["identity"] == card["identity"]
    assert card["identity"] != as_spec(done / "data" / "encoders" / "films").identity()


def test_the_page_tells_how_many_texts_were_left_out_and_which_weights_came_of_it(done: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(done, tmp_path / "copy")
    path = copy / "results" / "adapt" / "films.json"
    record = read_json(path)
    record["texts"]["n_left_out"] = 3
    write_json(path, record)
    assert run(copy, "report").exit_code == 0
    page = (copy / "results" / "report" / "report.md").read_text("utf-8")
    assert "`films`: left out as scored on in another split: 3 texts of sample films, training split." in page
    assert record["sha256"] == file_digest(copy / "data" / "encoders" / "films" / "model.safetensors")
    assert record["sha256"] in page


def test_without_a_recipe_nothing_is_fine_tuned(done: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(done, tmp_path / "copy")
    text = (copy / "params.yaml").read_text()
    (copy / "params.yaml").write_text(text[: text.index("    recipe:\n      rates")])
    told = run(copy, "adapt", "films")
    assert told.exit_code == 0, told.stderr
    assert read_json(copy / "results" / "adapt" / "films.json")["comparison"] is None
    assert read_jsonl(copy / "results" / "adapt" / "films.jsonl") == []
    assert run(copy, "report").exit_code == 0


@pytest.mark.parametrize(
    ("was", "now", "message"),
    [
        ("adapt: films}", "adapt: flims}", "encoders.further.adapt: must be an entry of adapt (films), but got flims"),
        ("    encoder: tiny", "    encoder: further", "must be a checkpoint with its own tokenizer, but adapted was"),
        (
            "    epochs: 6",
            "    epochs: 6\n    n_steps: 9",
            "epochs or n_steps must be given, one of them, but got both",
        ),
        ("    epochs: 6\n", "", "epochs or n_steps must be given, one of them, but got neither"),
        ("    whole_words", "    column: text\n    whole_words", "column must go with a file, but got text"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(
    prepared: Path, tmp_path: Path, was: str, now: str, message: str
) -> None:
    text = (prepared / "params.yaml").read_text()
    assert was in text
    (tmp_path / "params.yaml").write_text(text.replace(was, now, 1))
    told = run(tmp_path, "adapt", "films")
    assert told.exit_code == 3
    assert message in told.stderr


def test_a_metric_of_other_labels_is_refused(prepared: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(prepared, tmp_path / "copy")
    text = (copy / "params.yaml").read_text()
    (copy / "params.yaml").write_text(text.replace("    n_seeds: 2", "    metric: pearson\n    n_seeds: 2"))
    told = run(copy, "adapt", "films")
    assert told.exit_code == 3
    assert "adapt.films.metric: must be accuracy or balanced_accuracy or " in told.stderr
