"""Confusion, wrong texts, schemes that disagree and the table of findings, of predictions made by hand."""

import numpy as np
import pytest

from fake_findings import LABELS, NAMES, PREDICTIONS, fake_errors, texts_of
from finetune_alf.error_analysis.confusion import confusion
from finetune_alf.error_analysis.document import COLUMNS, ErrorsDocument
from finetune_alf.error_analysis.schemes import Answer, compare_schemes
from finetune_alf.error_analysis.texts import LabelledTexts
from finetune_alf.error_analysis.wrong import wrong_texts
from finetune_alf.errors import RowPlace


def test_recall_is_by_true_class_and_precision_by_predicted_class():
    found = confusion([0, 0, 0, 1, 1, 2], [0, 0, 2, 1, 0, 2], NAMES)
    assert found.counts == ((2, 0, 1), (1, 1, 0), (0, 0, 1))
    assert [each.recall for each in found.classes] == pytest.approx([2 / 3, 1 / 2, 1])
    assert [each.precision for each in found.classes] == pytest.approx([2 / 3, 1, 1 / 2])
    assert (found.n_texts, found.n_right) == (6, 4)
    assert found.most_confused() == [("bad", "good", 1), ("fair", "bad", 1)]


def test_a_class_that_is_never_predicted_has_no_precision_and_one_without_texts_no_recall():
    found = confusion([0, 0, 1], [0, 0, 0], NAMES)
    bad, fair, good = found.classes
    assert (bad.recall, fair.recall, good.recall) == (1, 0, None)
    assert (bad.precision, fair.precision, good.precision) == (pytest.approx(2 / 3), None, None)


def test_a_split_of_one_class_has_one_row():
    found = confusion([1, 1], [1, 2], NAMES)
    assert found.counts == ((0, 0, 0), (0, 1, 1), (0, 0, 0))
    assert [each.n_true for each in found.classes] == [0, 2, 0]


def test_the_surest_wrong_text_comes_first_and_equally_sure_ones_by_row():
    probabilities = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0, 0.2, 0.8], [0.6, 0.3, 0.1]])
    wrong = wrong_texts(texts_of([0, 1, 0, 2]), probabilities)
    assert [each.index for each in wrong] == [2, 1, 3]
    assert [each.predicted for each in wrong] == ["good", "bad", "bad"]
    assert [each.place for each in wrong] == [None, "in.csv line 3", None]
    assert wrong[0].probability == pytest.approx(0.8)


def test_texts_that_divide_the_most_pairs_of_schemes_come_first():
    found = compare_schemes(texts_of([0, 0, 1, 2, 1]), PREDICTIONS)
    assert found.n_seeds == {"plain": 3, "probe": 2, "other": 1}
    assert [(each.index, each.disagreement) for each in found.texts] == [(1, 1), (3, pytest.approx(2 / 3))]
    assert found.texts[0].answers == {
        "plain": Answer(predicted="bad", n_seeds=2),
        "probe": Answer(predicted="fair", n_seeds=2),
        "other": Answer(predicted="good", n_seeds=1),
    }


def test_equally_divided_texts_come_first_where_the_seeds_are_of_one_mind():
    predictions = {"a": {1: (0, 0, 0), 2: (0, 0, 0), 3: (1, 0, 0)}, "b": {1: (1, 1, 0), 2: (1, 1, 0), 3: (1, 1, 0)}}
    assert [each.index for each in compare_schemes(texts_of([0, 0, 0]), predictions).texts] == [1, 0]


def test_a_scheme_whose_seeds_are_tied_disagrees_with_none():
    predictions = {"a": {1: (0,), 2: (1,)}, "b": {1: (0,), 2: (0,)}}
    assert compare_schemes(texts_of([0]), predictions).texts == ()
    three = compare_schemes(texts_of([0]), {**predictions, "c": {1: (2,)}}).texts
    assert three[0].answers["a"] == Answer(predicted=None, n_seeds=1)
    assert three[0].disagreement == pytest.approx(1 / 3)


def test_agreement_is_the_mean_kappa_over_pairs_of_fits_and_unknown_for_a_single_seed():
    predictions = {"a": {1: (0, 0, 1, 1), 2: (0, 0, 1, 0)}, "b": {1: (0, 0, 1, 1)}}
    found = compare_schemes(texts_of([0, 0, 1, 1], NAMES[:2]), predictions)
    kappas = {each.schemes: each.kappa for each in found.agreements}
    assert kappas == {("a", "a"): pytest.approx(0.5), ("a", "b"): pytest.approx(0.75), ("b", "b"): None}
    assert found.texts == ()  # the last text divides the seeds of one scheme alone


@pytest.mark.parametrize("predictions", [{}, {"a": {1: (0, 1)}}, {"a": {}}])
def test_fewer_than_two_schemes_disagree_on_nothing(predictions):
    assert compare_schemes(texts_of([0, 1]), predictions).texts == ()


def test_the_table_has_a_row_for_each_finding():
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in fake_errors().findings()]
    assert [row["kind"] for row in rows] == ["wrong", "disagreement", "disagreement"]
    places = [(row["file"], row["line"], row["row"]) for row in rows]
    assert places == [("in.csv", 3, None), ("in.csv", 3, None), (None, None, None)]
    assert rows[0] | {"probability": 0.8} == {
        "kind": "wrong",
        "split": "test",
        "file": "in.csv",
        "line": 3,
        "row": None,
        "text": "text 1",
        "pair": None,
        "label": "bad",
        "predicted": "fair",
        "probability": 0.8,
        "detail": "",
    }
    assert rows[1]["detail"] == "plain bad 2/3, probe fair 2/2, other good 1/1"


def test_the_texts_of_a_pair_have_a_column_each():
    document = fake_errors(texts_of(LABELS, pair=True))
    row = dict(zip(COLUMNS, next(document.findings()), strict=True))
    assert (row["text"], row["pair"]) == ("text 1", "and more")


def test_the_document_is_read_as_it_was_written(tmp_path):
    fake_errors().write(tmp_path / "errors.json")
    assert ErrorsDocument.read(tmp_path / "errors.json") == fake_errors()


def test_a_file_without_lines_has_rows():
    places = {"text 0": RowPlace("in.parquet", 7, has_lines=False)}
    (found,) = wrong_texts(LabelledTexts(["text 0"], [0], NAMES, places), np.array([[0.1, 0.9, 0]]))
    assert (found.index, found.file, found.line, found.row) == (0, "in.parquet", None, 7)
    assert found.place == "in.parquet row 7"
