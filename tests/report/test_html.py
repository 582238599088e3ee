"""The page as HTML: its numbers are those of the files, nothing from outside acts in it, nothing leaves it."""

import re
from base64 import b64encode
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from html_page import Page, parsed
from report_tree import compared_lock, trial, write_everything, write_lock, write_study

from fake_comparisons import compared
from fake_locks import too_few
from finetune_alf.documents import Estimate
from finetune_alf.figures.picture import Picture
from finetune_alf.json_files import read_json, read_jsonl, write_json, write_jsonl
from finetune_alf.paths import Paths
from finetune_alf.register.recommend import SchemeDifferences
from finetune_alf.report.blocks import Figure, Items, Paragraph, Table
from finetune_alf.report.contents import contents_of
from finetune_alf.report.html.inline import inline
from finetune_alf.report.html.outline import outline
from finetune_alf.report.html.render import LONG, LongText, render, shortened
from finetune_alf.report.load import load_results
from finetune_alf.report.part import DocumentPart, Part, SavedClassifier
from finetune_alf.report.section import Section, plain
from finetune_alf.report.write import write_report

LIMIT = 3_000_000
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def source(page: Path) -> str:
    return page.with_suffix(".html").read_text("utf-8")


@pytest.fixture(scope="module")
def html(source: str) -> Page:
    return parsed(source)


def made(paths: Paths, *parts: Part) -> Page:
    return parsed(render(outline("Title", contents_of(load_results(paths), parts))))


def test_it_is_one_file_of_at_most_3_mb_that_asks_for_nothing(source: str, html: Page) -> None:
    assert len(source.encode()) <= LIMIT
    assert not html.all("link")
    assert not [each for each in html.all("script") if "src" in each.attributes]
    assert not [each for each in html.elements if str(each.attributes.get("src", "data:")).split(":")[0] != "data"]
    assert "url(" not in "".join(each.text for each in html.all("style"))


def test_its_policy_lets_only_its_own_two_scripts_run(html: Page) -> None:
    (policy,) = [each.attributes["content"] for each in html.all("meta", http_equiv="Content-Security-Policy")]
    scripts = [each.text for each in html.all("script") if "type" not in each.attributes]
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert len(scripts) == 2
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    assert policy == (
        f"default-src 'none'; script-src {allowed}; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_headings_are_in_order_and_each_name_is_given_once(html: Page) -> None:
    levels = [int(each.tag[1]) for each in html.elements if re.fullmatch("h[1-6]", each.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = [each.attributes["id"] for each in html.elements if "id" in each.attributes]
    assert len(names) == len(set(names))


def test_every_link_leads_somewhere(html: Page, page: Path) -> None:
    names = {each.attributes.get("id") for each in html.elements}
    for link in html.all("a"):
        target = str(link.attributes["href"])
        assert target[1:] in names if target.startswith("#") else (page.parent / target).exists()


def test_the_card_has_the_difference_of_the_documents(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study(paths)
    write_lock(paths)
    difference = compared(0.0123)
    found = made(paths, Part((), {"minilm": {"alf-1": SchemeDifferences(difference)}}))
    values = [float(str(each.attributes["value"])) for each in found.all("data")]
    assert values == [difference.mean, difference.low, difference.high]
    assert [each.text for each in found.all("p", **{"class": "verdict"})] == ["Use plain fine-tuning"]


def test_a_schedule_that_is_better_is_named_with_lines_to_copy(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study(paths)
    write_lock(paths)
    better = SchemeDifferences(compared(0.05, 0.001), compared(0.03, 0.01))
    found = made(paths, Part((), {"minilm": {"alf-1": better}}))
    assert [each.text for each in found.all("p", **{"class": "verdict"})] == ["Use alf-1"]
    assert 'Schedule.pull("alf-minilm@alf-1"' in found.all("pre")[0].text


@pytest.mark.parametrize(("scheme", "is_fitted_again"), [("baseline", False), ("uniform", True)])
def test_a_classifier_that_is_saved_is_not_fitted_again(tmp_path: Path, scheme: str, is_fitted_again: bool) -> None:
    paths = Paths(tmp_path)
    compared_lock(too_few(0.0)).write(paths.schedules("minilm"))
    assert made(paths).all("pre")[0].text.startswith("finetune-alf fit --study minilm\nfinetune-alf predict minilm ")
    saved = SavedClassifier(scheme, Estimate(mean=0.875, low=0.8, high=0.9))
    found = made(paths, Part((), classifiers={"minilm": saved}))
    assert ("finetune-alf fit" in found.all("pre")[0].text) == is_fitted_again
    assert ".875" in [each.text for each in found.all("dd")]


def test_with_too_few_seeds_the_card_says_for_now(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    compared_lock(too_few(0.0)).write(paths.schedules("minilm"))
    found = made(paths)
    assert [each.text for each in found.all("p", **{"class": "verdict"})] == ["Use plain fine-tuning for now"]
    assert found.all("p", **{"class": "why"})[0].text == (
        "2 seeds are too few for a verdict. With 5 seeds (register.n_seeds: 5) this comparison can decide."
    )


@pytest.mark.parametrize("lacks_study", [False, True])
def test_runs_and_versions_are_links_where_a_server_has_them_and_named_where_none_does(
    tmp_path: Path, lacks_study: bool
) -> None:
    paths = Paths(tmp_path)
    write_lock(paths)
    if not lacks_study:
        write_study(paths)
    lines = ["run r of the registration", "version 1 of alf-minilm, alf-1", "version 2 of alf-minilm, alf-2"]
    page = write_report(paths, server="https://mlflow.example/team")
    linked = parsed(page.with_suffix(".html").read_text("utf-8"))
    assert {each.text: each.attributes["href"] for each in linked.all("a") if each.text in lines} == {
        lines[0]: "https://mlflow.example/team/#/runs/r",
        lines[1]: "https://mlflow.example/team/#/models/alf-minilm/versions/1",
        lines[2]: "https://mlflow.example/team/#/models/alf-minilm/versions/2",
    }
    assert "[run `r` of the registration](https://mlflow.example/team/#/runs/r)" in page.read_text("utf-8")
    named = parsed(write_report(paths).with_suffix(".html").read_text("utf-8"))
    assert [each.text for each in named.all("li") if each.text in lines] == lines
    assert not [each for each in named.all("a") if "http" in str(each.attributes["href"])]


def test_a_document_names_its_runs_by_their_key_and_links_to_its_versions(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study(paths)
    found = Part((DocumentPart("Classifier", Section(), runs=("fit/minilm",), versions=(("clf-minilm", 3),)),))
    page = write_report(paths, parts=[lambda _: found], server="https://mlflow.example")
    html = parsed(page.with_suffix(".html").read_text("utf-8"))
    (link,) = [each for each in html.all("a") if each.text == "version 3 of clf-minilm"]
    assert link.attributes["href"] == "https://mlflow.example/#/models/clf-minilm/versions/3"
    for run in ("fit/minilm", "study/minilm/0123456789abcccc"):
        line = f"the run with tags.\"alf.key\" LIKE '%/{run}'"
        assert line in [each.text for each in html.all("li")]
    assert "`tags.\"alf.key\" LIKE '%/fit/minilm'`" in page.read_text("utf-8")


def test_provenance_has_the_whole_digests(html: Page, page: Path) -> None:
    results = page.parents[1]
    lock, study = (
        read_json(results / "schedules" / "minilm.json"),
        read_json(results / "study" / "minilm" / "study.json"),
    )
    digests = [study["digest"], study["sample"]["digest"], *(one["digest"] for one in lock["schedules"].values())]
    shown = [each.text for each in html.all("td")]
    assert all(digest in shown for digest in digests)


def test_the_verdict_is_said_once(source: str) -> None:
    assert len(re.findall("[Uu]se plain fine-tuning", source)) == 1


def test_a_line_of_the_summary_stands_with_the_document_that_it_is_about(tmp_path: Path) -> None:
    first, second = "Better than `second`.", "A line without a name."
    part = Part((DocumentPart("`first`", Section(), (first,)), DocumentPart("`second`", Section(), (second,))))
    document = outline("Title", contents_of(load_results(write_everything(tmp_path)), [part]))
    assert [each.blocks for each in document.parts[1:]] == [(Items((first,)),), (Items((second,)),)]


def test_findings_are_shown_and_the_rest_is_folded_below_its_title(tmp_path: Path) -> None:
    (study,) = outline("Title", contents_of(load_results(write_everything(tmp_path)))).parts
    importance = next(chapter for chapter in study.chapters if chapter.title == "Which layers matter")
    assert [type(block) for block in importance.blocks] == [Figure, Items, Paragraph]
    assert "disagree" in importance.blocks[2].text
    assert {type(block) for block in importance.folded} == {Table, Paragraph}
    tables = next(chapter for chapter in study.chapters if chapter.title == "Comparisons and rates")
    assert "Differences from plain fine-tuning" in tables.folded[0].title


def test_tables_have_the_cells_of_the_markdown(html: Page, text: str) -> None:
    cells = {inline(cell.strip()).striptags() for cell in re.findall(r"(?<=\| )[^|\n]+(?= \|)", text)}
    shown = {" ".join(each.text.split()) for each in html.elements if each.tag in ("td", "th")}
    assert {cell for cell in cells if re.search(r"\d", cell)} <= shown
    assert all(each.attributes.get("scope") in ("col", "row") for each in html.all("th"))


def test_what_comes_from_outside_is_text(tmp_path: Path) -> None:
    paths = write_everything(tmp_path)
    file = paths.study_results("minilm") / "study.json"
    document = read_json(file)
    document["sample"]["name"] = EVIL
    document["sample"]["counts"] = {"train": {EVIL: 3}}
    write_json(file, document)
    trials = read_jsonl(file.parent / "trials.jsonl")
    trials[2]["reason"] = EVIL
    write_jsonl(file.parent / "trials.jsonl", trials)
    section = Section()
    section.text(EVIL, f"[link](javascript:alert(1)) ![](x) {plain(EVIL)}")
    section.table((EVIL, "x"), [(plain(EVIL), EVIL)])
    section.figure("x.png", plain(EVIL), Picture({"mark": "point", "data": {"values": [{"a": EVIL}]}}, EVIL))
    page = (
        write_report(paths, EVIL, [lambda _: Part((DocumentPart(plain(EVIL), section, (EVIL,)),))])
        .with_suffix(".html")
        .read_text("utf-8")
    )
    assert "<script>alert" not in page.lower()
    html = parsed(page)
    assert len([each for each in html.all("script") if "type" not in each.attributes]) == 2
    assert html.all("h1")[0].text == EVIL
    assert not [each for each in html.all("a") if "javascript" in str(each.attributes["href"])]
    assert {"mark": "point", "data": {"values": [{"a": EVIL}]}} in html.specs().values()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("**a** `<b>` *c*", "<strong>a</strong> <code>&lt;b&gt;</code> <em>c</em>"),
        ("[-.016, +.050] & <i>", "[-.016, +.050] &amp; &lt;i&gt;"),
        (r"a \| b \<c\> \*d\*", "a | b &lt;c&gt; *d*"),
    ],
)
def test_a_line_of_markdown(line: str, shown: str) -> None:
    assert inline(line) == shown


def test_a_long_paragraph_folds_after_its_first_sentence_and_one_of_a_single_sentence_is_whole() -> None:
    long, endless = Paragraph(f"Short. {'Word ' * LONG}."), Paragraph("word " * LONG)
    assert shortened(long) == LongText("Short.", f"{'Word ' * LONG}.")
    assert shortened(endless) == endless


def test_the_same_results_give_the_same_page(tmp_path: Path) -> None:
    paths = write_everything(tmp_path)
    first = write_report(paths).with_suffix(".html").read_bytes()
    assert write_report(paths).with_suffix(".html").read_bytes() == first


@pytest.mark.long
def test_the_page_of_1000_trials_stays_within_the_limit(tmp_path: Path) -> None:
    paths = write_everything(tmp_path)
    write_jsonl(paths.study_results("minilm") / "trials.jsonl", [trial(n, 0.5 + n % 40 / 100) for n in range(1000)])
    html = write_report(paths).with_suffix(".html").read_text("utf-8")
    assert len(html.encode()) <= LIMIT
    assert html.count("<option value=") >= 1000
