"""Linear models: what cross-validation chooses, and the loss, on rows whose answer is known."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from finetune_alf.linear import INVERSE_STRENGTHS, cross_validated, out_of_fold, smallest_class, tfidf

RANDOM = np.random.default_rng(1)
SIGNAL = RANDOM.normal(size=(90, 1))
NOISE = RANDOM.normal(size=(90, 60))


def strength(model):
    return model.pipeline["linear"].C


def test_labels_without_a_pattern_get_the_strongest_shrinkage():
    labels = [0, 1] * 45
    assert strength(cross_validated(NOISE, labels, 2, 5, seed=1)) == INVERSE_STRENGTHS[0]


def test_a_clear_pattern_is_found_among_noise_and_shrunk_less():
    labels = (SIGNAL[:, 0] > 0).astype(int).tolist()
    model = cross_validated(np.hstack([5 * SIGNAL, NOISE[:, :2]]), labels, 2, 5, seed=1)
    assert strength(model) > 1
    assert model.predict(np.array([[9.0, 0, 0], [-9.0, 0, 0]])) == [1, 0]
    assert model.n_parameters == 3 + 1


def test_the_unit_of_a_feature_does_not_matter():
    labels = np.digitize(SIGNAL[:, 0], [-0.5, 0.5]).tolist()
    inputs = np.hstack([SIGNAL, NOISE[:, :5]])
    one, other = (cross_validated(inputs * unit, labels, 3, 5, seed=1).predict(inputs * unit) for unit in (1.0, 1e4))
    assert one == other
    assert set(one) == {0, 1, 2}


@pytest.mark.parametrize("weights", [None, (0.5, 0.5, 30.0)])
def test_a_class_with_a_single_row_is_learned_and_the_others_choose_the_strength(weights):
    labels = (SIGNAL[:, 0] > 0).astype(int).tolist()
    inputs, labels[7] = np.vstack([SIGNAL[:7], [[50.0]], SIGNAL[8:]]), 2
    model = cross_validated(inputs, labels, 3, 5, seed=1, class_weights=weights)
    assert strength(model) > 1
    assert model.predict([[50.0], [-2.0], [0.9]]) == [2, 0, 1]


def test_equal_seeds_give_equal_models():
    labels = (SIGNAL[:, 0] + NOISE[:, 0] > 0).astype(int).tolist()
    one, other = (cross_validated(NOISE, labels, 2, 3, seed=4) for _ in range(2))
    assert one.pipeline["linear"].coef_.tobytes() == other.pipeline["linear"].coef_.tobytes()


def test_scores_are_predicted_by_ridge_regression():
    scores = (2 * SIGNAL[:, 0] + 3).tolist()
    model = cross_validated(SIGNAL, scores, 0, 5, seed=1)
    assert model.predict([[0.0], [1.0]]) == pytest.approx([3, 5], abs=0.01)
    assert model.loss([[0.0], [1.0]], [3.0, 7.0]) == pytest.approx(2, abs=0.05)  # errors of 0 and 2


def test_the_loss_is_in_nats_and_a_class_without_training_texts_costs_the_most():
    labels = [0, 1] * 45
    model = cross_validated(NOISE, labels, 3, 5, seed=1)
    assert model.loss(NOISE[:4], [0, 1, 0, 1]) == pytest.approx(math.log(2), abs=0.1)
    assert model.loss(NOISE[:4], [2, 2, 2, 2]) == pytest.approx(-math.log(np.finfo(float).eps))


def test_there_are_no_more_folds_than_texts_of_the_rarest_class():
    assert smallest_class([0, 0, 1, 1, 1], 2) == 2
    assert smallest_class([0.5, 1.5, 2.5], 0) == 3
    assert cross_validated(SIGNAL[:5], [0, 0, 1, 1, 1], 2, 5, seed=1).n_classes == 2


def test_words_of_the_training_texts_alone_count():
    train, vectorizer = tfidf(["a warm day", "a cold day"], 2)
    other = vectorizer.transform(["a warm night", "nothing known"])
    assert train.shape == (2, 8)  # a, warm, cold, day, and four pairs of neighbours
    assert other[0].nnz == 3  # a, warm, a warm
    assert other[1].nnz == 0


def test_out_of_fold_no_row_is_predicted_by_a_model_that_learned_its_label():
    ends = np.repeat([[-3.0], [3.0]], 10, axis=0)
    labels = [0] * 10 + [1] * 10
    labels[3] = 1  # the row lies among those of class 0
    identities = np.hstack([10 * np.eye(20), ends])  # by which a model could learn each row by heart
    probabilities = out_of_fold(identities, labels, 2, 5, seed=1)
    assert probabilities.sum(1) == pytest.approx(1)
    assert probabilities[3, 1] < 0.5
    fitted = cross_validated(identities, labels, 2, 5, seed=1)
    assert fitted.pipeline.predict_proba(identities)[3, 1] > probabilities[3, 1]


def test_out_of_fold_a_class_without_rows_has_no_probability():
    probabilities = out_of_fold(SIGNAL, [0, 2] * 45, 3, 5, seed=1)
    assert (probabilities[:, 1] == 0).all()
    assert probabilities.sum(1) == pytest.approx(1)


def test_class_weights_are_scikit_learns_balanced_ones():
    labels = [1 if row % 6 == 0 else 0 for row in range(90)]
    weights = (90 / (2 * 75), 90 / (2 * 15))
    plain, own = (cross_validated(NOISE, labels, 2, 3, 1, given) for given in (None, weights))
    other = LogisticRegression(C=strength(own), class_weight="balanced", max_iter=2000)
    other.fit(own.pipeline["scaled"].transform(NOISE), labels)
    assert own.pipeline["linear"].coef_ == pytest.approx(other.coef_, abs=1e-6)
    assert sum(plain.predict(NOISE)) < 5 < sum(own.predict(NOISE))


def test_the_strength_is_chosen_by_the_weighted_loss():
    labels = [1 if row % 6 == 0 else 0 for row in range(90)]
    model = cross_validated(NOISE, labels, 2, 3, 1, (0.6, 3.0))
    assert strength(model) == INVERSE_STRENGTHS[0]  # nothing is to be learned, whatever the intercept
    assert model.loss(NOISE, labels) == pytest.approx(math.log(2), abs=0.01)
