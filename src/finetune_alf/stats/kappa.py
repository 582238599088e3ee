"""Agreement of predicted classes beyond chance. Pure."""

import numpy as np
from numpy.typing import NDArray


def cohens_kappas(predictions: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Return Cohen's kappa of each two fits, (fits, fits), from the classes that they predict, (fits, n).

    It is NaN where undefined: both predict one and the same class for every text. Source: Cohen 1960, "A Coefficient of
    Agreement for Nominal Scales".
    """
    n_fits, n_texts = predictions.shape
    answers = np.eye(n_classes)[predictions]  # (fits, n, classes)
    flat, shares = answers.reshape(n_fits, -1), answers.mean(1)
    observed, by_chance = flat @ flat.T / n_texts, shares @ shares.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isclose(by_chance, 1), np.nan, (observed - by_chance) / (1 - by_chance))
