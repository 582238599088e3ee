"""What the documents say is so: their code runs, their commands, files and links exist, their map is whole."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from finetune_alf.cli.entry import group
from finetune_alf.experiments.registry import load_params
from finetune_alf.params.presets import preset_names
from finetune_alf.schedules.published import published

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "finetune_alf"
README = ROOT / "README.md"
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
TOP = "|".join(("src", "tests", "docs", "examples", "benchmarks", r"\.ci"))
FILE = re.compile(rf"(?:(?:{TOP})/[\w./-]*|[a-z_]+/[a-z_/]+\.py|[a-z_]+\.py|(?:Makefile|Dockerfile|compose\.yaml))")


def blocks(path: Path, language: str) -> list[str]:
    return [text for named, text in BLOCK.findall(path.read_text("utf-8")) if named == language]


def inline(path: Path) -> list[str]:
    return INLINE.findall(BLOCK.sub("", path.read_text("utf-8")))


def lines_of_shell(path: Path) -> list[str]:
    lines = [line for block in blocks(path, "sh") for line in block.splitlines()] + inline(path)
    return [line.partition(" # ")[0].strip() for line in lines]


def commands() -> list[str]:
    named = [line for path in DOCUMENTS for line in lines_of_shell(path) if line.startswith("finetune-alf ")]
    return list(dict.fromkeys(named))


def parse(command: click.Command, words: list[str]) -> None:
    """Walk down to the command that is named, and let it parse its words without running it."""
    if isinstance(command, click.Group):
        if words and words[0] in command.commands:
            parse(command.commands[words[0]], words[1:])
            return
        assert all(word == "--help" for word in words), f"{command.name}: no command or option {words}"
        return
    command.make_context(str(command.name), words)


@pytest.mark.parametrize("line", commands())
def test_a_command_that_a_document_names_exists_with_its_options(line: str) -> None:
    parse(group, shlex.split(line)[1:])


def test_documents_name_every_command_of_the_pipeline() -> None:
    told = "\n".join(path.read_text("utf-8") for path in DOCUMENTS)
    missing = [name for name in group.commands if f"finetune-alf {name}" not in told and f"`{name}`" not in told]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_files_that_a_document_names_exist(path: Path) -> None:
    links = [link.partition("#")[0] for link in LINK.findall(path.read_text("utf-8")) if "://" not in link]
    named = [text for text in inline(path) if FILE.fullmatch(text)]
    missing = [link for link in links if link and not (path.parent / link).exists()]
    missing += [text for text in named if not any((above / text).exists() for above in (ROOT, PACKAGE))]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_make_target_that_a_document_names_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {match[1] for line in lines_of_shell(path) if (match := re.match(r"make ([a-z-]+)", line))}
    assert named <= targets


def test_every_package_and_module_of_the_top_is_on_the_map() -> None:
    top = {f"{entry.name}/" for entry in PACKAGE.iterdir() if entry.is_dir() and entry.name != "__pycache__"}
    top |= {entry.name for entry in PACKAGE.glob("*.py") if entry.name != "__init__.py"}
    code_map = README.read_text("utf-8").partition("## The map of the code")[2]
    assert {name for name in top if f"`{name}`" not in code_map} == set()


def test_the_readme_names_every_preset() -> None:
    settings = README.read_text("utf-8").partition("## Settings")[2]
    assert [name for name in preset_names() if f"`{name}`" not in settings] == []


def test_pictures_are_small_pngs() -> None:
    for picture in (ROOT / "docs" / "pictures").glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 200 * 1024


def test_the_parameters_for_your_own_csv_are_valid(tmp_path: Path) -> None:
    block, by_another_metric, *_ = blocks(README, "yaml")
    assert len(block.splitlines()) <= 10
    for name, sample, text in (("mine", "mine", block), ("rte", "rte", by_another_metric)):
        (tmp_path / f"{name}.yaml").write_text(text)
        params = load_params(tmp_path / "params.yaml", ["default", str(tmp_path / f"{name}.yaml")])
        assert params.studies["minilm"].sample == sample
    assert params.studies["minilm"].metric == "matthews"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose own registry, below mine/, holds alf-minilm@alf-1."""
    pytest.importorskip("mlflow")
    from finetune_alf.schedules.registry import Registry
    from finetune_alf.tracking.mlflow import MlflowTracker

    folder = tmp_path_factory.mktemp("readme")
    tracker = MlflowTracker(folder / "mine")
    run_id = tracker.open_parent("register/minilm", "register minilm", {})
    Registry(tracker.uri).register("alf-minilm", published("distilbert-alf-1"), "alf-1", run_id)
    return folder


@pytest.mark.parametrize("block", blocks(README, "python"))
def test_python_in_the_readme_runs(block: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.DistilBertConfig(vocab_size=50, dim=8, hidden_dim=16, n_heads=2)
    model = transformers.DistilBertForSequenceClassification(config)
    monkeypatch.chdir(folder)
    names = {"model": model}
    exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - the README's own
    if "optimizer" in names:
        assert {group["address"] for group in names["optimizer"].param_groups} >= {"embeddings", "layer.3", "head"}
        assert not any(parameter.requires_grad for parameter in model.distilbert.transformer.layer[1].parameters())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_in_documents_compiles(path: Path) -> None:
    for block in blocks(path, "python"):
        compile(block, path.name, "exec")


def run(*words: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_short_and_run_here() -> None:
    assert [path.name for path in EXAMPLES] == ["apply_published.py", "best_rates.py", "search_from_python.py"]
    for path in EXAMPLES:
        assert 5 <= len(path.read_text().splitlines()) <= 15


def test_the_example_that_applies_a_schedule_shows_its_rates() -> None:
    told = run(ROOT / "examples" / "apply_published.py")
    assert "layer.3     2e-05" in told
    assert told.endswith("frozen: layer.1\n")


def test_the_examples_search_and_read_what_was_found(tmp_path: Path) -> None:
    run(ROOT / "examples" / "search_from_python.py", tmp_path)
    told = run(ROOT / "examples" / "best_rates.py", tmp_path, "tiny")
    n_trials = load_params(ROOT / "examples" / "tiny.yaml").studies["tiny"].n_trials
    assert told.startswith(f"{n_trials} trials, best ")
    assert [line.split()[0] for line in told.splitlines()[1:]] == ["embeddings", "layer.0", "layer.1", "head"]
