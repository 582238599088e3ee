"""Linear models by scikit-learn, which is imported when it is needed, and the TF-IDF of texts. Pure.

The strength of a model is chosen by cross-validation on the rows that it is fitted to, by the loss and not by a count
of correct predictions: among few rows, many strengths have equal counts.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

INVERSE_STRENGTHS = tuple(10.0**exponent for exponent in range(-4, 4))
"""The values of C, and of 1/alpha, among which cross-validation chooses."""

MAX_ITERATIONS = 2000

WORD = r"(?u)\b\w+\b"
"""What TF-IDF counts as a word: scikit-learn's own pattern leaves out words of one letter."""


@dataclass(frozen=True)
class LinearModel:
    """A fitted pipeline of scikit-learn: logistic regression, or with 0 classes ridge regression of scores.

    Of rows with several classes each, the regression of each class by itself. `vectorizer` makes its inputs of texts,
    where they are TF-IDF.
    """

    pipeline: Any
    n_classes: int
    has_label_sets: bool = False
    vectorizer: Any = None

    @property
    def weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights, (classes, features), and intercepts, (classes,); of two classes those of the second alone."""
        linear = self.pipeline["linear"]
        each = linear.estimators_ if self.has_label_sets else [linear]
        parts = [(np.atleast_2d(one.coef_), np.atleast_1d(one.intercept_)) for one in each]
        return np.concatenate([weights for weights, _ in parts]), np.concatenate([bias for _, bias in parts])

    @property
    def logit_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights and intercepts of the logits of all classes; of two classes the first has logit 0."""
        weights, bias = (part.astype(np.float64) for part in self.weights)
        if len(weights) == 1 and not self.has_label_sets:
            return np.vstack([np.zeros_like(weights), weights]), np.append(0.0, bias)
        return weights, bias

    @property
    def n_parameters(self) -> int:
        """The number of weights, with those of the intercept."""
        return sum(int(part.size) for part in self.weights)

    def predict(self, inputs: Any) -> list[Any]:
        """Return the class, the classes or the score of each row."""
        predictions: list[Any] = self.pipeline.predict(inputs).tolist()
        return [tuple(np.flatnonzero(row).tolist()) for row in predictions] if self.has_label_sets else predictions

    def loss(self, inputs: Any, labels: Sequence[Any]) -> float:
        """Return the mean loss a row: in nats for classes, of several the mean, and squared for scores."""
        if self.has_label_sets:
            return -_log_likelihood(self.pipeline, inputs, _membership(labels, self.n_classes))
        truth = np.asarray(labels)
        if not self.n_classes:
            return float(np.mean(np.square(self.pipeline.predict(inputs) - truth)))
        probabilities = np.zeros((len(truth), self.n_classes))
        probabilities[:, self.pipeline.classes_] = self.pipeline.predict_proba(inputs)
        own = probabilities[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(own, np.finfo(np.float64).eps)).mean())


def _membership(labels: Sequence[Any], n_classes: int) -> NDArray[np.int64]:
    return np.array([[index in own for index in range(n_classes)] for own in labels], dtype=np.int64)


def _log_likelihood(model: Any, inputs: Any, truth: NDArray[np.int64]) -> float:
    """Return the mean log-likelihood over rows and classes, of a truth of 0 and 1, (n, classes)."""
    probabilities = model.predict_proba(inputs)
    own = np.where(truth, probabilities, 1 - probabilities)
    return float(np.log(np.maximum(own, np.finfo(np.float64).eps)).mean())


def smallest_class(labels: Sequence[Any], n_classes: int) -> int:
    """Return the number of rows of the rarest class, of all rows where labels are scores: as many folds as can be."""
    return min(Counter(labels).values()) if n_classes else len(labels)


def cross_validated(
    inputs: Any,
    labels: Sequence[float],
    n_classes: int,
    n_folds: int,
    seed: int,
    class_weights: Sequence[float] | None = None,
) -> LinearModel:
    """Return a linear model fitted to all rows, of the strength with the best mean loss over the folds.

    Dense inputs, (n, features), are standardised. The seed is for the folds, which are fewer than `n_folds` where a
    class has fewer rows. A row that is alone in its class is in no fold: all models are fitted to it. One class at
    least needs two rows. With class weights both the models and their losses are weighted.
    """
    from scipy.sparse import issparse
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    loss: str | Callable[..., float]
    if n_classes:
        by_class = None if class_weights is None else dict(enumerate(class_weights))
        linear = LogisticRegression(max_iter=MAX_ITERATIONS, class_weight=by_class)
        if class_weights is None and smallest_class(labels, n_classes) < 2:
            class_weights = (1.0,) * n_classes  # scikit-learn's own loss refuses folds that lack a class
        loss = "neg_log_loss" if class_weights is None else _weighted_log_loss(class_weights)
        grid = {"linear__C": INVERSE_STRENGTHS}
    else:
        linear, loss = Ridge(), "neg_mean_squared_error"
        grid = {"linear__alpha": tuple(1 / strength for strength in INVERSE_STRENGTHS)}
    pipeline = Pipeline([("scaled", "passthrough" if issparse(inputs) else StandardScaler()), ("linear", linear)])
    split = _folds(labels, n_classes, n_folds, seed)
    return LinearModel(
        GridSearchCV(pipeline, grid, scoring=loss, cv=split).fit(inputs, labels).best_estimator_, n_classes
    )


def out_of_fold(inputs: Any, labels: Sequence[int], n_classes: int, n_folds: int, seed: int) -> NDArray[np.float64]:
    """Return the probabilities of each row, (n, classes), by a model that was fitted to the other folds.

    The strength is the one that `cross_validated` chooses on all rows: a single choice among few, to which the label of
    one row adds next to nothing. Every class that occurs needs two rows.
    """
    from sklearn.base import clone
    from sklearn.model_selection import cross_val_predict

    model = cross_validated(inputs, labels, n_classes, n_folds, seed)
    split = _folds(labels, n_classes, n_folds, seed)
    probabilities = np.zeros((len(labels), n_classes))
    probabilities[:, np.unique(labels)] = cross_val_predict(
        clone(model.pipeline), inputs, labels, cv=split, method="predict_proba"
    )
    return probabilities


def _folds(labels: Sequence[float], n_classes: int, n_folds: int, seed: int) -> Any:
    """Return the folds of all cross-validations, drawn in each class where labels are classes."""
    from sklearn.model_selection import KFold, StratifiedKFold

    if not n_classes:
        return KFold(min(n_folds, len(labels)), shuffle=True, random_state=seed)
    counts = Counter(labels)
    n_rarest = min(n for n in counts.values() if n > 1)
    folds = StratifiedKFold(min(n_folds, n_rarest), shuffle=True, random_state=seed)
    alone = [row for row, label in enumerate(labels) if counts[label] == 1]
    if not alone:
        return folds
    others = np.delete(np.arange(len(labels)), alone)
    split = folds.split(others, np.asarray(labels)[others])
    return [(np.append(others[fitted], alone), others[left_out]) for fitted, left_out in split]


def _weighted_log_loss(class_weights: Sequence[float]) -> Callable[..., float]:
    """Return a scorer for scikit-learn: the mean log-likelihood of the rows, weighted by their classes."""
    from sklearn.metrics import log_loss

    def score(model: Any, inputs: Any, labels: Sequence[int]) -> float:
        weights = [class_weights[label] for label in labels]
        return -float(log_loss(labels, model.predict_proba(inputs), sample_weight=weights, labels=model.classes_))

    return score


def cross_validated_sets(
    inputs: Any, labels: Sequence[tuple[int, ...]], n_classes: int, n_folds: int, seed: int
) -> LinearModel:
    """Return the logistic regressions of all classes, of the one strength with the best mean loss over the folds.

    Each label has any number of classes. Inputs are as for `cross_validated`.
    """
    from scipy.sparse import issparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    linear = OneVsRestClassifier(LogisticRegression(max_iter=MAX_ITERATIONS))
    pipeline = Pipeline([("scaled", "passthrough" if issparse(inputs) else StandardScaler()), ("linear", linear)])
    split = KFold(min(n_folds, len(labels)), shuffle=True, random_state=seed)
    search = GridSearchCV(
        pipeline, {"linear__estimator__C": INVERSE_STRENGTHS}, scoring=_log_likelihood, cv=split, error_score="raise"
    )
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Label (not )?[0-9]+ is present in all training examples"
        )  # of a fold
        fitted = search.fit(inputs, _membership(labels, n_classes)).best_estimator_
    return LinearModel(fitted, n_classes, has_label_sets=True)


def logistic(
    inputs: Any, labels: Sequence[float], n_classes: int, class_weights: Sequence[float] | None = None
) -> LinearModel:
    """Return a logistic regression of scikit-learn's own strength, on the inputs as they are."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    by_class = None if class_weights is None else dict(enumerate(class_weights))
    pipeline = Pipeline([("linear", LogisticRegression(max_iter=MAX_ITERATIONS, class_weight=by_class))])
    return LinearModel(pipeline.fit(inputs, labels), n_classes)


def tfidf(texts: Sequence[str], longest_ngram: int) -> tuple[Any, Any]:
    """Return the TF-IDF of texts, with up to so many words in a row, and the vectorizer that has learned it."""
    vectorizer = _vectorizer(longest_ngram)
    return vectorizer.fit_transform(texts), vectorizer


def tfidf_vectorizer(words: Sequence[str], idf: NDArray[np.float64], longest_ngram: int) -> Any:
    """Return a vectorizer of these words, in the order of its columns, and their inverse document frequencies."""
    vectorizer = _vectorizer(longest_ngram, {word: column for column, word in enumerate(words)})
    vectorizer.idf_ = idf
    return vectorizer


def _vectorizer(longest_ngram: int, vocabulary: Mapping[str, int] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, longest_ngram), token_pattern=WORD, vocabulary=vocabulary)
