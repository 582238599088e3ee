"""The tables of `finetune-alf errors`: what fits a terminal, and what takes its place where it does not fit."""

import numpy as np
import pytest

from fake_findings import LABELS, fake_errors, texts_of
from finetune_alf.cli.errors_tables import lines_of, shortened


def shown(document, n=20, width=100):
    return "\n".join(lines_of(document, n, width))


def test_the_tables_are_those_of_the_findings():
    assert (
        shown(fake_errors())
        == """\
models/minilm, fitted by baseline: 4 of 5 test texts of films are right (.800)

Recall: the share of a class's texts that are found. Precision: the share of its predictions that are right.
class  texts  recall  precision  as bad  as fair  as good
bad        2    .500      1.000       1        1        0
fair       2   1.000       .667       0        2        0
good       1   1.000      1.000       0        0        1

Texts that are wrong, the surest first: 1
Sure: the probability of the predicted class. Either the classifier is wrong here, or the label is.
sure  true -> predicted  place          text
.800  bad -> fair        in.csv line 3  text 1

Agreement of two fits beyond chance (Cohen's kappa): of two schemes, and of two seeds of the same one
1 is full agreement, 0 that of chance. Schemes that agree about as seeds do differ no more than seeds.
scheme  seeds  plain  probe  other
plain       3   0.61
probe       2   0.35   1.00
other       1   0.61   0.41      –
probe: a linear model on the encoder as it came.

Texts on which schemes disagree, by how many do: 2
Each scheme with its most frequent answer, and how many of its seeds gave that.
labelled bad: plain bad 2/3, probe fair 2/2, other good 1/1
    in.csv line 3  (above)
labelled good: plain good 3/3, probe bad 2/2, other good 1/1
    text 3

No label of the 5 test texts is likely wrong, by the classifier.

Nothing else was found."""
    )


def test_where_the_matrix_is_too_wide_the_pairs_that_are_confused_most_are_listed():
    text = shown(fake_errors(), width=50)
    assert "as bad" not in text
    assert "true -> predicted  texts\nbad -> fair            1" in text


def test_so_many_texts_of_each_kind_are_shown_and_the_number_of_all():
    wrong = np.array([[0.0, 0.0, 1.0]] * 5)
    text = shown(fake_errors(probabilities=wrong), n=1)
    assert "Texts that are wrong, the surest first: 1 of 4" in text
    assert "Texts on which schemes disagree, by how many do: 1 of 2" in text
    assert "text 0" in text
    assert "text 2" not in text


def test_likely_label_errors_by_a_weak_model_are_not_to_be_trusted():
    labels, caution = [0] * 10 + [1] * 10, "Do not trust this list"
    two = texts_of(labels, ("bad", "good"))
    for n_wrong, is_trusted in ((4, True), (5, False)):  # of 20, on either side of WEAK
        probabilities = np.array([[0.9, 0.1]] * (10 - n_wrong) + [[0.1, 0.9]] * (10 + n_wrong))
        (part,) = fake_errors(two, None, probabilities).label_errors
        assert (part.n_right, len(part.texts)) == (20 - n_wrong, n_wrong)
        text = shown(fake_errors(two, None, probabilities), width=120)
        assert "Read a text before you change its label." in text
        assert (caution in text) != is_trusted
        assert ("?: the label is likely wrong." in text) == is_trusted
    assert f"{caution}: the classifier predicts only .750 of these labels." in text


def test_what_there_is_nothing_of_is_said():
    right = np.eye(3)[LABELS]
    text = shown(fake_errors(predictions={"plain": {1: LABELS}}, probabilities=right))
    assert "No text is wrong." in text
    assert "The transfer has 1 scheme with predictions" in text
    assert "The schemes agree on every text" in shown(fake_errors(predictions={"a": {1: LABELS}, "b": {1: LABELS}}))
    assert "kappa" not in shown(fake_errors(predictions=None))


def test_a_text_is_one_line_of_the_width_of_the_terminal_that_the_terminal_does_not_obey():
    assert shortened("one\n two\x1b[31m", 20) == "one two?[31m"
    assert shortened("a" * 30, 10) == "aaaaaaa..."
    assert shortened(("first", "second"), 30) == "first | second"
    lines = list(lines_of(fake_errors(texts_of(LABELS, text="long " * 50)), 20, 70))
    assert max(len(line) for line in lines if "long" in line) == 70


@pytest.fixture
def trusted(monkeypatch):
    """Trust the list of likely label errors, however often the model is wrong."""
    monkeypatch.setattr("finetune_alf.error_analysis.label_errors.WEAK", 0.0)


WRONG = np.array([[0.0, 0.1, 0.9]] * 5)
"""Every text but one is predicted wrong, and surely."""


@pytest.mark.usefixtures("trusted")
def test_texts_have_lines_of_their_own_where_there_is_little_room_beside_the_columns():
    document = fake_errors(texts_of(LABELS, text="a long text " * 9), None, WRONG)
    narrow, wide = list(lines_of(document, 20, 80)), list(lines_of(document, 20, 140))
    below = narrow.index("sure  true -> predicted  label  place") + 1
    assert narrow[below] == ".900  bad -> good        ?      –"
    assert narrow[below + 1].startswith("    a long text a long text")
    assert len(narrow[below + 1]) == 80
    (beside,) = [line for line in wide if "bad -> good" in line and "in.csv line 3" in line][:1]
    assert len(beside.partition("in.csv line 3")[2].strip()) >= 60


@pytest.mark.usefixtures("trusted")
def test_a_text_that_is_wrong_and_likely_a_label_error_is_shown_once():
    text = shown(fake_errors(None, None, WRONG), width=140)
    assert "?: the label is likely wrong." in text
    assert "Marked with ? among the wrong texts above: 4." in text
    assert text.count("text 1") == 1
    assert "margin" not in text.lower()
    few = shown(fake_errors(None, None, WRONG), n=1, width=140)
    assert "Labels that are likely wrong among the 5 test texts, by the classifier: 2 of 4" in few
    assert "Marked with ? among the wrong texts above: 1." in few
    assert "margin  label -> likely" in few


@pytest.mark.usefixtures("trusted")
def test_a_text_on_which_schemes_disagree_is_named_by_its_place_afterwards():
    predictions = {"a": {1: (0, 0, 1, 2, 1)}, "b": {1: (0, 1, 1, 2, 1)}}
    surest = np.array([[0.0, 0.0, 1.0], [0.0, 0.1, 0.9], *[[0.0, 0.2, 0.8]] * 3])
    text = shown(fake_errors(None, predictions, surest), n=1, width=140)
    assert "    in.csv line 3  text 1" in text
    assert "bad -> good      in.csv line 3  (above)" in text
    assert text.count("text 1") == 1


def test_a_matrix_of_many_schemes_has_numbers_above_its_columns():
    names = ("feature_extraction", "gradual_from_head", "alf-1", "baseline")
    text = shown(fake_errors(predictions={name: {1: LABELS, 2: LABELS} for name in names}), width=60)
    assert "scheme                seeds     1     2     3     4" in text
    assert "2 gradual_from_head       2  1.00  1.00" in text
