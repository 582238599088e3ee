"""Predictions drawn at random for tests of scores and comparisons: classes and scores, of several seeds."""

import numpy as np
from hypothesis import strategies as st

from finetune_alf.metric_names import metrics_for
from finetune_alf.metrics import sample_metric

CLASSES, SCORES = metrics_for("classification"), metrics_for("regression")
METRICS = {name: sample_metric(name, 3) for name in (*CLASSES, *SCORES)}
LABELS = {**dict.fromkeys(CLASSES, st.integers(0, 2)), **dict.fromkeys(SCORES, st.integers(-6, 6).map(lambda n: n / 2))}
NOT_MEANS = [name for name in METRICS if METRICS[name].is_correct is None]


def drawn(
    name: str,
    rng: np.random.Generator,
    n_seeds: int,
    *,
    n_texts: int = 200,
    sd_seeds: float = 0.0,
    gain: float = 0.0,
) -> tuple[np.ndarray, dict[int, np.ndarray], dict[int, np.ndarray]]:
    """The truth for a metric, and the predictions of two schemes, equal except for a gain of the first."""
    draw = _classified if name in CLASSES else _scored
    truth, *schemes = draw(rng, n_seeds, n_texts, sd_seeds, gain)
    first, second = (dict(enumerate(scheme)) for scheme in schemes)
    return truth, first, second


def _classified(rng, n_seeds, n_texts, sd_seeds, gain):
    """Three unbalanced classes."""
    truth, hardness = rng.choice(3, n_texts, p=(0.5, 0.3, 0.2)), rng.normal(0, 1.5, n_texts)

    def scheme(more):
        logits = 1.2 + more + rng.normal(0, sd_seeds, (n_seeds, 1)) + hardness + rng.normal(0, 1, (n_seeds, n_texts))
        wrong = (truth + rng.integers(1, 3, (n_seeds, n_texts))) % 3
        return np.where(rng.random(logits.shape) < 1 / (1 + np.exp(-logits)), truth, wrong)

    return truth, scheme(gain), scheme(0)


def _scored(rng, n_seeds, n_texts, sd_seeds, gain):
    """Scores from 0 to 5 with ties."""
    truth, hardness = np.round(np.clip(rng.normal(2.5, 1.5, n_texts), 0, 5), 1), rng.normal(0, 0.5, n_texts)

    def scheme(less):
        noise = np.exp(rng.normal(-less, sd_seeds, (n_seeds, 1))) * rng.normal(0, 1, (n_seeds, n_texts))
        return truth + hardness + noise

    return truth, scheme(gain), scheme(0)
