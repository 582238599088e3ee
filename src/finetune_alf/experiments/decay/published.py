"""Published test error rates: figure 2.1 of the thesis, taken from Sun et al. 2019.

The thesis names neither encoder nor data set of this table; Sun et al. fit BERT-base on IMDb.
"""

ERRORS_PERCENT = {
    (2.5e-5, 1.00): 5.52,
    (2.5e-5, 0.95): 5.46,
    (2.5e-5, 0.90): 5.44,
    (2.5e-5, 0.85): 5.58,
    (2.0e-5, 1.00): 5.42,
    (2.0e-5, 0.95): 5.40,
    (2.0e-5, 0.90): 5.52,
    (2.0e-5, 0.85): 5.65,
}
"""By rate and factor."""

TABLE = "figure 2.1 of the thesis, from Sun et al. 2019"


def published_error(sample: str, rate: float, factor: float) -> float | None:
    """Return the published error rate, as a fraction, for a sample whose name starts with imdb; None without one."""
    error = ERRORS_PERCENT.get((rate, factor)) if sample.startswith("imdb") else None
    return None if error is None else error / 100
