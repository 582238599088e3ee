"""The site of the documents: its nav, the pages that are made of code, and what a build writes."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

import finetune_alf
from finetune_alf.cli.entry import group
from finetune_alf.experiments.registry import BUILT_IN, model_of
from finetune_alf.params.schema import params_schema
from finetune_alf.report.markdown import table
from finetune_alf.report.section import code, plain

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module", autouse=True)
def hooks() -> Iterator[None]:
    """Find the modules of the hooks, as MkDocs does."""
    sys.path.insert(0, str(DOCS / "hooks"))
    yield
    sys.path.remove(str(DOCS / "hooks"))


def pages_in(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for inner in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from pages_in(inner)


def test_the_nav_names_every_page_once_and_no_other() -> None:
    from repository_links import PAGES
    from settings_pages import settings_pages

    nav = list(pages_in(YAML(typ="safe").load(ROOT / "mkdocs.yml")["nav"]))
    written = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    generated = {*settings_pages(), "reference/commands.md", "reference/python.md", *PAGES.values()}
    assert written.isdisjoint(generated)
    assert sorted(nav) == sorted(written | generated)


def test_every_key_of_params_yaml_is_in_the_reference_with_what_it_does() -> None:
    from settings_pages import settings_pages

    pages = "\n".join(settings_pages().values())
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.*?) \| (.*?) \|$", pages, re.MULTILINE)
    schema = params_schema(model_of(BUILT_IN))
    specs = [schema, *(each for each in schema["$defs"].values() if each.get("properties"))]
    assert len(rows) == sum(len(spec["properties"]) for spec in specs)
    assert [key for key, _, _, what in rows if not what] == []


def test_a_key_has_its_type_its_default_and_its_sentence() -> None:
    from settings_pages import settings_pages

    pages = settings_pages()
    assert "| `n_trials` | integer from 1 |  | The number of trials; raise it" in pages["reference/settings-studies.md"]
    assert "| `clip` | number above 0 | `1` | The largest" in pages["reference/settings-recipes.md"]
    assert "[tpe](#tpesampler) or [random](#randomsampler)" in pages["reference/settings-studies.md"]


def test_every_public_name_is_on_the_page_of_the_python_interface() -> None:
    from python_page import python_page

    names = [path.rpartition(".")[2] for path in re.findall(r"^::: (\S+)$", python_page(), re.MULTILINE)]
    assert sorted([*names, "__version__"]) == sorted(finetune_alf.__all__)


@pytest.mark.parametrize(
    ("link", "made"),
    [
        ("[a](../log.md)", "[a](../log.md)"),
        ("[a](../../CHANGELOG.md#b)", "[a](../project/changelog.md#b)"),
        ("[`a`](../../examples/use/)", "`a`"),
        ("[a](../../pyproject.toml)", "a"),
        ("[a](https://example.org/b)", "[a](https://example.org/b)"),
        ("[a](missing.md)", "[a](missing.md)"),
        ("```md\n[a](../../pyproject.toml)\n```", "```md\n[a](../../pyproject.toml)\n```"),
    ],
)
def test_a_link_to_the_repository_leads_to_its_page_or_is_plain_text(link: str, made: str) -> None:
    from repository_links import for_site

    assert for_site(link, "docs/how-to/data.md", "how-to/data.md") == made


def test_a_bar_in_a_table_of_the_report_has_no_backslash_on_the_site() -> None:
    from repository_links import for_site

    page = table(("command", "note"), [(code("cat a.csv | head"), plain("a|b"))])
    made = pytest.importorskip("markdown").markdown(
        for_site(page, "docs/results.md", "results.md"), extensions=["tables"]
    )
    assert re.findall("<td.*?>(.*)</td>", made) == ["<code>cat a.csv | head</code>", "a|b"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built without a network."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.long
def test_the_site_has_every_command_and_public_name_and_loads_nothing_from_elsewhere(site: Path) -> None:
    commands = (site / "reference" / "commands.html").read_text("utf-8")
    assert [
        name for name in group.list_commands(click.Context(group)) if f'id="finetune-alf-{name}"' not in commands
    ] == []
    python = (site / "reference" / "python.html").read_text("utf-8")
    homes = finetune_alf._HOMES
    assert [name for name, home in homes.items() if f'id="{home}.{name}"' not in python] == []
    assert "plot_rates" in python  # of a class that Study inherits from
    loaded = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(?:https?:)?//[^\s\">]+")
    found = {path.name: loaded.findall(path.read_text("utf-8")) for path in site.rglob("*.html")}
    assert {name: links for name, links in found.items() if links} == {}


@pytest.mark.long
def test_a_page_from_disk_searches_in_a_browser_without_errors_and_requests(site: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site / "index.html").as_uri())
    page.locator("input.md-search__input").first.click()
    page.locator("input.md-search__input").first.press_sequentially("confirmation split")
    found = page.locator(".md-search-result__item a").first
    found.wait_for(timeout=30_000)
    found.click()
    page.wait_for_url("**/*.html?h=*")
    assert "confirmation" in page.locator("article").inner_text()
    page.close()
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "about:"))] == []
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    assert {"tutorial.html", "concepts.html"} <= {each["location"] for each in index["docs"]}
