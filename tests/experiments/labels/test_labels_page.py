"""Schemes by number of labelled texts: comparisons of planted fits, and the page."""

from pathlib import Path

import pytest
from planted_labels import labels_document, labels_spec

from finetune_alf.experiments.labels.document import EquivalentTexts
from finetune_alf.experiments.labels.figure import labels_plot
from finetune_alf.experiments.labels.page import labels_part, texts_cell
from finetune_alf.experiments.scheme_spec import schemes_named
from finetune_alf.paths import Paths
from finetune_alf.stats import NO_EVIDENCE
from golden import golden, page_of

WRONG = {
    "baseline": {32: 60, 64: 40, 128: 20},
    "probe": {32: 40, 64: 36, 128: 32},
    "decayed": {32: 61, 64: 39, 128: 20},
}


def n_wrong(sample, scheme, n_train, index):
    """The probe is better with 32 texts and worse with 128; one fit with decay on travel diverged."""
    if (sample, scheme, n_train, index) == ("travel", "decayed", 128, 0):
        return None
    return WRONG[scheme][n_train] + (index % 2) * (2 if scheme == "decayed" else 1) + 10 * (sample == "travel")


@pytest.fixture(scope="module")
def document():
    return labels_document("few", labels_spec(), n_wrong)


def test_scores_gains_differences_and_equivalent_texts_are_those_of_the_planted_fits(document):
    schemes = document.samples["films"].schemes
    small, middle, large = schemes["probe"]
    assert small.score.mean == pytest.approx(1 - 40.4 / 200)
    assert small.gain is None
    assert large.gain.mean == pytest.approx((36 - 32) / 200 * 100 / 64)
    assert small.difference.mean == pytest.approx(20 / 200)
    assert [size.difference.verdict for size in (small, middle, large)] == ["better", None, None]
    assert small.equivalent.n == 64
    assert large.equivalent.n == round(64 * 2**0.4)  # 40 % of the way on the scale of logarithms
    assert middle.equivalent.n == round(64 * 2**0.2)
    assert schemes["baseline"][0].difference is schemes["baseline"][0].equivalent is None
    assert schemes["decayed"][0].difference.verdict == NO_EVIDENCE
    assert (document.samples["travel"].schemes["decayed"][2].n_diverged) == 1


def test_texts_beyond_the_numbers_that_were_fitted_are_no_numbers(document):
    assert texts_cell(document, None) == "–"
    assert (
        texts_cell(document, EquivalentTexts(n=None, low=120, high=None, beyond="above")) == "over 128 [120, over 128]"
    )
    assert texts_cell(document, EquivalentTexts(n=40, low=None, high=1_000, beyond=None)) == "40 [under 32, 1,000]"


def test_the_page_is_what_the_documents_say(tmp_path, document):
    paths = Paths(tmp_path)
    alone = labels_spec(samples=("films",), schemes=schemes_named("baseline"), n_train=(32,), n_seeds=2)
    for each in (document, labels_document("alone", alone, n_wrong)):
        each.write(paths.document("labels", each.name))
    part = labels_part(paths)
    page = page_of(part)
    assert page == golden(Path(__file__).with_name("labels_page.md"), page)
    assert list(part.section.pictures) == ["alone-labels.png", "few-labels.png"]


def test_without_an_experiment_there_is_no_part(tmp_path):
    assert labels_part(Paths(tmp_path)) is None


def test_the_same_document_gives_the_same_picture_and_another_document_another(document):
    picture = labels_plot(document)
    assert picture.png().startswith(b"\x89PNG")
    assert picture == labels_plot(document)
    assert picture != labels_plot(labels_document("few", labels_spec(), lambda *_: 20))


def test_scores_have_no_classes(document, tmp_path):
    """Where labels are scores, as STS-B's, nothing is said of classes."""
    scores = document.model_copy(update={"metric": "pearson"})
    assert "(dashed: the mean score)" in str(labels_plot(scores).spec)
    assert "(dashed: one class)" in str(labels_plot(document).spec)
    page = {}
    for each in (scores, document):
        each.write(Paths(tmp_path).document("labels", "few"))
        page[each.metric] = labels_part(Paths(tmp_path)).section.markdown
    assert "Classes have as many texts each." in page["accuracy"]
    assert "class" not in page["pearson"].lower()
