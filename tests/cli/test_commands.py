"""Commands that look at and change things, from the words on the command line to what they print."""

import json
import os
import shlex
import shutil
import socket
import webbrowser
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import make_url

from finetune_alf.cli.entry import group
from finetune_alf.experiments.registry import load_params
from finetune_alf.params.presets import find_source, preset_names
from finetune_alf.rates import LayerRates
from finetune_alf.schedules.published import published
from finetune_alf.schedules.pull import read_schedule
from finetune_alf.tracking import pages

TINY = """
encoders:
  tiny:
    kind: random
    seed: 1
    config: {model_type: bert, vocab_size: 101, hidden_size: 8, num_hidden_layers: 2, num_attention_heads: 2,
             intermediate_size: 16, max_position_embeddings: 64}
studies: {minilm: {encoder: tiny, recipe: {rates: {kind: frozen_below, n_frozen: 1, rate: 5e-5, head: 1e-3}}}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text(find_source("default").text)
    return tmp_path


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(group, [*words, "--root", str(root)])


def test_check_says_what_is_there(root: Path) -> None:
    told = run(root, "params", "check")
    assert told.exit_code == 0
    assert told.stdout == (
        f"{root}/params.yaml: valid; encoders minilm; samples films, restaurants, gadgets, travel; studies minilm\n"
    )


def test_check_tells_every_fault_and_writes_nothing(root: Path) -> None:
    path = root / "params.yaml"
    path.write_text(path.read_text().replace("epochs: 4", "epocs: 4").replace("n_trials: 16", "n_trials: 0"))
    for words in (["params", "check"], ["study"], ["run"]):
        told = run(root, *words)
        assert told.exit_code == 3
        assert told.stdout == ""
        lines = told.stderr.splitlines()
        assert len(lines) == 3  # the misspelt key, the missing one, the number
        assert all(line.startswith(f"{path}:") for line in lines)
    assert list(root.iterdir()) == [path]


@pytest.mark.parametrize("group_name", ["params", "schedules"])
def test_a_group_without_a_command_prints_its_help_once(group_name: str) -> None:
    told = CliRunner().invoke(group, [group_name])
    assert told.exit_code == 2
    assert told.output.count("Usage:") == 1
    assert "Error" not in told.output
    assert "Commands:" in told.output


def test_diff_names_what_an_overlay_changes_leaf_by_leaf(root: Path) -> None:
    told = run(root, "params", "diff", "--params", "real-small", "--all").stdout.splitlines()
    assert "studies.minilm.recipe.batch: 8 -> 16" in told
    assert "samples.films.n_train: 64 -> -" in told
    assert "samples.imdb.n_train: - -> 192" in told
    assert (
        'transfer.samples: ["films", "restaurants", "gadgets", "travel"] -> ["imdb", "yelp", "sst2", "amazon"]' in told
    )


def test_diff_has_one_line_for_a_section_that_only_one_side_has(root: Path) -> None:
    *told, note = run(root, "params", "diff", "--params", "real-small").stdout.splitlines()
    assert "studies.minilm.recipe.batch: 8 -> 16" in told
    assert "samples.films: not set (7 values before)" in told
    assert "samples.imdb: new, 10 values" in told
    assert not any(line.startswith(("samples.films.", "samples.imdb.")) for line in told)
    assert note.endswith(f"Each value: finetune-alf params diff --all --params real-small --root {root}")


def test_diff_in_a_folder_without_params_compares_overlays_with_the_default(root: Path) -> None:
    told = run(root, "params", "diff", "--params", "real-small").stdout
    (root / "params.yaml").unlink()
    assert run(root, "params", "diff", "--params", "real-small").stdout == told
    (root / "mine.yaml").write_text("studies: {minilm: {n_trials: 60}}\n")
    over_default = run(root, "params", "diff", "--params", "default", "--params", str(root / "mine.yaml"))
    assert over_default.stdout == "studies.minilm.n_trials: 16 -> 60\n"
    without = run(root, "params", "diff")
    assert (without.exit_code, without.stdout) == (3, "")
    assert "params use default" in without.stderr


def test_diff_alone_compares_with_the_default(root: Path) -> None:
    path = root / "params.yaml"
    assert run(root, "params", "diff").stdout == ""
    path.write_text(path.read_text().replace("n_trials: 16", "n_trials: 60"))
    assert run(root, "params", "diff").stdout == "studies.minilm.n_trials: 16 -> 60\n"


def test_diff_names_an_entry_without_settings_of_its_own(root: Path) -> None:
    (root / "mine.yaml").write_text("fit: {minilm: {}}\nadapt: {}\n")  # a classifier; no section of its own is none
    assert run(root, "params", "diff", "--params", str(root / "mine.yaml")).stdout == "fit.minilm: - -> {}\n"
    path = root / "params.yaml"
    path.write_text(path.read_text().replace("\nfit: {}\n", "\nfit: {minilm: {}}\n").replace("\nadapt: {}\n", "\n"))
    assert run(root, "params", "diff").stdout == "fit.minilm: - -> {}\n"
    (root / "mine.yaml").write_text("fit: {minilm: ~}\n")
    assert run(root, "params", "diff", "--params", str(root / "mine.yaml")).stdout == "fit.minilm: {} -> -\n"


def test_use_makes_the_file_where_there_is_none(tmp_path: Path) -> None:
    assert run(tmp_path, "params", "use", "thesis-distilbert").exit_code == 0
    assert list(load_params(tmp_path / "params.yaml").studies) == ["distilbert"]


def test_schema_is_one_json_document() -> None:
    schema = json.loads(CliRunner().invoke(group, ["params", "schema"]).stdout)
    assert set(schema["required"]) == {"encoders", "samples"}


def test_anatomy_lists_every_parameter_once_and_says_what_is_frozen(root: Path) -> None:
    (root / "tiny.yaml").write_text(TINY)
    assert run(root, "params", "use", str(root / "tiny.yaml")).exit_code == 0
    told = run(root, "anatomy", "minilm")
    assert told.exit_code == 0, told.stderr
    identity, heading, *rows, total = told.stdout.splitlines()
    assert identity.startswith("tiny: random:")
    assert heading.split() == ["address", "parameters", "rate"]
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [
        ("embeddings", "frozen"),
        ("layer.0", "frozen"),
        ("layer.1", "open"),
        ("head", "open"),
    ]
    counts = [int(row.split()[1].replace(",", "")) for row in rows]
    assert total.split()[1].replace(",", "") == str(sum(counts))


def test_anatomy_refuses_a_schedule_of_another_depth(root: Path) -> None:
    (root / "tiny.yaml").write_text(TINY)
    run(root, "params", "use", str(root / "tiny.yaml"))
    told = run(root, "anatomy", "--schedule", "distilbert-alf-1")
    assert told.exit_code == 3
    assert "2 layers" in told.stderr


def test_anatomy_names_the_studies_there_are(root: Path) -> None:
    told = run(root, "anatomy", "berta")
    assert (told.exit_code, told.stderr) == (
        3,
        "studies: must have an entry `berta`, but got minilm. Check params.yaml.\n",
    )


def test_anatomy_says_which_address_would_barely_move(root: Path) -> None:
    (root / "tiny.yaml").write_text(TINY)
    run(root, "params", "use", str(root / "tiny.yaml"))
    schedule = published("distilbert-alf-1")
    rates = LayerRates.of(0.0, [2e-9, 2e-5], 2e-5)
    provenance = schedule.provenance.model_copy(update={"n_layers": 2})
    changed = {"recipe": schedule.recipe.with_rates(rates), "provenance": provenance}
    (root / "low.json").write_text(schedule.model_copy(update=changed).to_json())
    told = run(root, "anatomy", "--schedule", str(root / "low.json"))
    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    states = {line.split()[0]: " ".join(line.split()[3:]) for line in lines[2:-1]}
    expected = {"embeddings": "frozen", "layer.0": "barely moves in 1,000 steps", "layer.1": "open", "head": "open"}
    assert states == expected


def test_anatomy_of_a_recipe_with_an_adapter_shows_the_adapter_open_and_its_layer_frozen(root: Path) -> None:
    recipe = "{rates: {kind: uniform, rate: 5e-5, head: 1e-3}, adapter: {kind: houlsby, width: 4}}"
    (root / "tiny.yaml").write_text(
        f"{TINY[: TINY.index('studies')]}studies: {{minilm: {{encoder: tiny, recipe: {recipe}}}}}\n"
    )
    run(root, "params", "use", str(root / "tiny.yaml"))
    told = run(root, "anatomy")
    assert told.exit_code == 0, told.stderr
    states = {line.split()[0]: line.split()[-1] for line in told.stdout.splitlines()[2:-1]}
    assert states["layer.0"] == "frozen"
    assert states["adapter.0"] == states["head"] == "open"


def test_what_there_is_none_of_is_said(root: Path) -> None:
    run(root, "params", "use", "elsa-small")
    told = run(root, "anatomy")
    assert told.exit_code == 3
    assert told.stderr.startswith("anatomy: params.yaml has no study")
    for command in ("study", "importance", "register", "transfer", "schemes", "multitask", "adapt"):
        told = run(root, command)
        assert (told.exit_code, told.stderr) == (0, "")
        assert told.stdout == f"{command}: nothing to do, params.yaml names none.\n"


def test_help_on_presets_names_all_of_them() -> None:
    told = CliRunner().invoke(group, ["params", "use", "--help"]).output
    words = told.replace(",", " ").replace(";", " ").split()
    assert set(preset_names()) <= set(words)


def test_schedules_lists_the_published_and_makes_no_store(root: Path) -> None:
    told = run(root, "schedules", "list")
    assert told.exit_code == 0
    assert [line.split()[0] for line in told.stdout.splitlines()[:6]] == [
        f"{encoder}-alf-{number}" for encoder in ("distilbert", "bert", "roberta") for number in (1, 2)
    ]
    assert "nothing registered yet" in told.stdout
    assert [path.name for path in root.iterdir()] == ["params.yaml"]


def test_a_pulled_schedule_is_the_one_that_is_shown(root: Path) -> None:
    out = root / "out" / "alf.json"
    assert run(root, "schedules", "pull", "bert-alf-2", "--out", str(out)).exit_code == 0
    assert json.loads(run(root, "schedules", "show", "bert-alf-2", "--json").stdout) == json.loads(out.read_text())
    assert read_schedule(out).rates.n_layers == 12
    again = run(root, "schedules", "pull", "bert-alf-1", "--out", str(out))
    assert again.exit_code == 3
    assert "--force" in again.stderr
    assert run(root, "schedules", "pull", "bert-alf-1", "--out", str(out), "--force").exit_code == 0


def test_a_schedule_that_may_forget_is_shown_and_pulled_with_the_flag_that_its_refusal_names(root: Path) -> None:
    schedule = json.loads(published("distilbert-alf-1").to_json())
    del schedule["checksum"]
    schedule["recipe"] |= {"allow_forgetting": True, "rates": schedule["recipe"]["rates"] | {"embeddings": 4e-4}}
    file, out = root / "bold.json", root / "out.json"
    file.write_text(json.dumps(schedule))
    for words in (["show", str(file)], ["pull", str(file), "--out", str(out)]):
        refused = run(root, "schedules", *words)
        assert refused.exit_code == 3
        assert "--allow-forgetting" in refused.stderr
        assert run(root, "schedules", *words, "--allow-forgetting").exit_code == 0
    assert read_schedule(out).rates["embeddings"] == 4e-4


def test_a_schedule_is_shown_with_what_is_assumed_and_what_its_rates_do(root: Path) -> None:
    lines = run(root, "schedules", "show", "distilbert-alf-1").stdout.splitlines()
    table = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines if line.startswith("  ")}
    assert table["clip"] == "*                      1"
    assert table["batch"] == "32"
    assert table["early_stopping.patience"].startswith("*")
    assert table["layer.1"].split(maxsplit=1) == ["0", "frozen"]
    assert any("over 2,205 steps at a mean" in line for line in lines)  # its own 35 epochs
    assert table["layer.4"].split(maxsplit=1) == ["2e-8", "barely moves (at most .0011)"]
    assert table["layer.3"].split(maxsplit=1) == ["2e-5", "learns (at most 1.1)"]
    longer = run(root, "schedules", "show", "distilbert-alf-1", "--steps", "10000").stdout
    assert "learns (at most .005)" in next(line for line in longer.splitlines() if "layer.4" in line)


def test_an_unregistered_schedule_is_a_clear_error(root: Path) -> None:
    told = run(root, "schedules", "show", "alf-minilm@alf-1")
    assert told.exit_code == 4
    assert f"{root}/mlruns/mlflow.db" in told.stderr


def test_ui_says_where_the_runs_are(root: Path) -> None:
    missing = run(root, "ui")
    assert missing.exit_code == 3
    assert "mlflow.db does not exist" in missing.stderr
    path = root / "params.yaml"
    path.write_text(path.read_text().replace("tracking: {}", "tracking: {uri: http://me:secret@tracking.example:5000}"))
    told = run(root, "ui")
    assert told.exit_code == 0
    assert "http://tracking.example:5000" in told.stdout
    assert "secret" not in told.stdout


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is opened in the browser of a machine with a display."""
    links: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", links.append)
    return links


def test_ui_opens_the_runs_on_a_server_where_there_is_a_display(
    root: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "params.yaml"
    path.write_text(path.read_text().replace("tracking: {}", "tracking: {uri: http://me:secret@127.0.0.1:9}"))
    run(root, "ui", "--no-open")
    assert opened == []
    run(root, "ui")
    assert opened == ["http://127.0.0.1:9"]
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    run(root, "ui")
    assert len(opened) == 1


def test_ui_starts_a_server_of_one_worker_and_opens_its_pages(
    root: Path, empty_store: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Server:
        """Stands in for the process of the server; Ctrl-C comes at once."""

        commands: ClassVar[list[list[str]]] = []

        def __init__(self, command: list[str], **_: object) -> None:
            self.commands.append(command)

        def wait(self) -> int:
            raise KeyboardInterrupt

    monkeypatch.setattr(pages.subprocess, "Popen", Server)
    monkeypatch.setattr(pages, "_wait", lambda *_: None)
    monkeypatch.setattr(pages, "_end", lambda _: None)
    shutil.copytree(empty_store / "mlruns", root / "mlruns")
    assert run(root, "ui", "--port", "5017").exit_code == 0
    (command,) = Server.commands
    assert command[command.index("--workers") + 1] == "1"
    assert opened == ["http://127.0.0.1:5017"]


def test_ui_refuses_a_port_that_is_taken(root: Path, empty_store: Path) -> None:
    shutil.copytree(empty_store / "mlruns", root / "mlruns")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = run(root, "ui", "--no-open", "--port", str(port))
    assert told.exit_code == 3
    assert f"Port {port} cannot be used" in told.stderr
    assert "--port" in told.stderr


def test_prepare_draws_a_sample_and_an_unknown_name_is_told(root: Path) -> None:
    told = run(root, "prepare", "films")
    assert told.exit_code == 0, told.stderr
    assert (root / "data" / "samples" / "films" / "card.json").exists()
    unknown = run(root, "prepare", "flims")
    assert unknown.exit_code == 3
    assert "films" in unknown.stderr


def test_what_run_kept_serves_the_other_commands_where_there_is_no_params_yaml(root: Path) -> None:
    kept = root / "results" / "params.yaml"
    kept.parent.mkdir()
    text = find_source("default").text
    kept.write_text(
        text.replace("films:", "plays:").replace("films", "plays").replace("domain: plays", "domain: films")
    )
    assert "samples films" in run(root, "params", "check").stdout  # the folder's own file comes first
    (root / "params.yaml").unlink()
    assert run(root, "params", "check").stdout.startswith(f"{kept}: valid; encoders minilm; samples plays,")
    assert run(root, "prepare", "plays").exit_code == 0
    assert "nothing registered yet" in run(root, "schedules", "list").stdout
    overlaid = run(root, "params", "check", "--params", "real-small").stdout
    assert "plays" not in overlaid  # overlays go over the default then, as in the run before


def test_presets_are_merged_into_what_run_kept(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "params.yaml").write_text(
        find_source("default").text.replace("n_trials: 16", "n_trials: 9")
    )
    (tmp_path / "more.yaml").write_text("report: {title: Mine}\n")
    assert run(tmp_path, "params", "use", str(tmp_path / "more.yaml")).exit_code == 0
    assert load_params(tmp_path / "params.yaml").studies["minilm"].n_trials == 9


def test_telemetry_is_off_for_whatever_a_command_loads(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")  # put back after the test
        monkeypatch.delenv(name)
    run(root, "params", "check")
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_quiet_prints_nothing_but_errors(root: Path) -> None:
    told = run(root, "prepare", "films", "--quiet")
    assert (told.exit_code, told.stdout, told.stderr) == (0, "", "")
    assert run(root, "prepare", "flims", "-q").stderr.startswith("samples: must have an entry")


def test_json_is_one_document_on_standard_output(root: Path) -> None:
    listed = run(root, "schedules", "list", "--json")
    assert [one["ref"] for one in json.loads(listed.stdout)][:2] == ["distilbert-alf-1", "distilbert-alf-2"]
    assert "nothing registered yet" in listed.stderr
    checked = json.loads(run(root, "params", "check", "--json").stdout)
    assert (checked["valid"], checked["studies"]) == (True, ["minilm"])


@pytest.mark.parametrize(
    ("words", "kind", "code"),
    [
        (["run", "--json"], "ParamsError", 3),
        (["plan", "--json"], "ParamsError", 3),
        (["params", "check", "--json"], "ParamsError", 3),
        (["init", "no.csv", "--json", "--force"], "DataError", 3),
        (["run", "--json", "--nonsense"], "UsageError", 2),
        (["init", "--json"], "UsageError", 2),
    ],
)
def test_json_is_one_document_on_failure_too(root: Path, words: list[str], kind: str, code: int) -> None:
    (root / "params.yaml").write_text("samples: {}\n")
    told = run(root, *words)
    error = json.loads(told.stdout)["error"]
    assert (error["kind"], error["exit_code"], told.exit_code) == (kind, code, code)
    assert error["message"]
    assert error["message"].splitlines()[0] in told.stderr


@pytest.mark.parametrize("name", ["plain", "My reviews", "a%20b"])
def test_the_command_for_optunas_pages_can_be_pasted_into_a_shell(root: Path, name: str) -> None:
    study = root / name / "studies" / "minilm-00e94711.db"
    study.parent.mkdir(parents=True)
    study.touch()
    told = run(root / name, "ui", "--no-open")
    (line,) = (line for line in told.stdout.splitlines() if "Optuna" in line)
    program, uri = shlex.split(line.partition(": ")[2])
    assert (program, make_url(uri).database) == ("optuna-dashboard", str(study))
