"""The page of a finished project: what its first screen says, and what its contents call the parts."""

import json
from pathlib import Path

import pytest
from html_page import Page, parsed
from usual_project import write_usual_report

from finetune_alf.json_files import read_json, read_jsonl
from finetune_alf.paths import Paths
from finetune_alf.report.numbers import score


def page_of(root: Path, **given) -> Page:
    return parsed(write_usual_report(root, **given).with_suffix(".html").read_text("utf-8"))


@pytest.fixture(scope="module")
def settled(tmp_path_factory) -> Page:
    return page_of(tmp_path_factory.mktemp("settled"))


@pytest.fixture(scope="module")
def unsettled(tmp_path_factory) -> Page:
    return page_of(tmp_path_factory.mktemp("unsettled"), n_seeds=2, has_importance=False)


def texts(page: Page, tag: str, of: str) -> list[str]:
    return [" ".join(each.text.split()) for each in page.all(tag, **{"class": of})]


def test_the_card_has_the_best_single_rate_beside_the_schedule(settled: Page) -> None:
    assert texts(settled, "p", "why") == ["Nothing is shown to be better, neither alf-1 nor the best single rate."]
    assert texts(settled, "p", "scheme") == ["alf-1", "one rate for all layers, 5e-6"]
    assert texts(settled, "p", "difference") == ["+.017 [-.023, +.057]", "+.022 [-.018, +.062]"]


def test_the_facts_of_the_card_are_those_of_the_files(tmp_path: Path) -> None:
    page, paths = page_of(tmp_path), Paths(tmp_path)
    tested = read_json(paths.document("transfer", "minilm", "films"))["schemes"]["alf-1"]
    trials = read_jsonl(paths.study_results("minilm") / "trials.jsonl")
    lock = read_json(paths.schedules("minilm"))
    references = [each for each in lock["references"].values() if each]
    fits = {json.dumps(each["rates"]): len(each["scores"]) for each in (*lock["candidates"], *references)}
    n_fits = sum(fits.values())  # those that searched the best single rate were scored on validation texts
    seconds = sum(trial["result"]["seconds"] for trial in trials if trial["result"])
    names, values = ([each.text for each in page.all(tag) if "dl" in each.inside] for tag in ("dt", "dd"))
    assert dict(zip(names, values, strict=True)) == {
        "Test accuracy of the saved classifier": score(read_json(paths.document("fit", "minilm"))["score"]["mean"]),
        "Texts it was scored on": f"{tested['difference']['variance']['n_texts']:,}",
        "Seeds for each scheme": str(tested["n_seeds"]),
        "Searched": f"{len(trials)} trials",
        "Time in fits": f"{seconds // 60:.0f} min {seconds % 60:.0f} s",
        "Confirmed by": f"{n_fits} fits",
    }
    ends = tested["difference"]
    assert [float(str(each.attributes["value"])) for each in page.all("data")[:3]] == [
        ends["mean"], ends["low"], ends["high"]
    ]  # fmt: skip


def test_the_card_says_its_difference_in_words(settled: Page, unsettled: Page) -> None:
    said = (
        "alf-1 scores .017 higher than plain fine-tuning; on other texts and seeds it may be anything from .023 lower "
        "to .057 higher (95 % interval)."
    )
    assert texts(settled, "p", "reads") == [said]
    assert texts(unsettled, "p", "reads") == [f"So far {said}"]


def test_each_corrected_p_stands_beside_its_verdict(settled: Page) -> None:
    assert texts(settled, "p", "says") == ["no evidence of a difference, p = .080"] * 2
    assert "The p are corrected over the 4 schemes that were compared." in texts(settled, "p", "where")[0]


def test_with_too_few_seeds_the_card_speaks_of_no_p_and_says_what_can_decide(unsettled: Page) -> None:
    assert texts(unsettled, "p", "why") == [
        "2 seeds are too few for a verdict. With 5 seeds (transfer.n_seeds: 5) this comparison can decide."
    ]
    assert texts(unsettled, "p", "says") == ["too few seeds for a verdict"] * 2
    assert texts(unsettled, "p", "where") == [
        "Differences in accuracy from plain fine-tuning on the test texts of films, 2 seeds."
    ]


def test_no_two_lines_of_the_contents_are_alike(settled: Page) -> None:
    contents = [each.text for each in settled.all("a") if "nav" in each.inside]
    assert len(contents) > 10
    assert sorted(set(contents)) == sorted(contents)


def test_where_there_are_too_few_trials_the_importance_is_a_sentence_without_a_picture(unsettled: Page) -> None:
    assert "figure-minilm-importance" not in unsettled.specs()
    assert "minilm-importance" in [each.attributes.get("id") for each in unsettled.all("h3")]
    sentence = "There is no finding yet: it takes 8 complete and different trials within the space, and there are 5."
    assert sentence in [each.text for each in unsettled.all("p")]


def test_the_provenance_of_each_document_is_folded_at_its_end(settled: Page) -> None:
    (transfer, classifier) = settled.all("details", **{"class": "fold more provenance"})
    assert "transfer/minilm/gadgets" in transfer.text
    assert "version 3 of clf-demo.minilm" in classifier.text
