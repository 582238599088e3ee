"""How the report writes numbers: one way for each kind, everywhere."""

from collections.abc import Sequence

from finetune_alf.documents import Estimate
from finetune_alf.rates import rate_text
from finetune_alf.score_text import score_text, signed_text

NONE = "–"

NO_WIDTH = 1e-12
"""An interval that is narrower has its width from rounding."""


def score(value: float | None) -> str:
    """Write a score in [0, 1] to three places: .812."""
    return NONE if value is None else score_text(value)


def as_printed(value: float | None) -> str:
    """Write a published score with all of its digits: .81234."""
    return NONE if value is None else f"{value:g}".replace("0.", ".", 1)


def signed(value: float | None) -> str:
    """Write a difference or a correlation with its sign: +.012; one that rounds to nothing has none."""
    return NONE if value is None else signed_text(value)


def estimate(value: Estimate) -> str:
    """Write a mean with its interval: .812 [.771, .851]."""
    return f"{score(value.mean)} [{score(value.low)}, {score(value.high)}]"


def error_estimate(accuracy: Estimate) -> str:
    """Write an accuracy with its interval as an error: .188 [.149, .229]."""
    return f"{score(1 - accuracy.mean)} [{score(1 - accuracy.high)}, {score(1 - accuracy.low)}]"


def signed_estimate(mean: float | None, low: float | None, high: float | None) -> str:
    """Write a difference with its interval: +.012 [-.010, +.034].

    Where nothing varies there is no interval: .000 (equal throughout), +.012 (the same throughout). One that is
    narrower than three places has as many as show its width.
    """
    if mean is None:
        return NONE
    if low is None or high is None:
        return f"{signed(mean)} [{signed(low)}, {signed(high)}]"
    if high - low < NO_WIDTH:
        return f"{signed(mean)} ({'equal' if abs(mean) < NO_WIDTH else 'the same'} throughout)"
    if signed(low) == signed(high):
        return f"{signed(mean)} [{low:+.1e}, {high:+.1e}]"
    return f"{signed(mean)} [{signed(low)}, {signed(high)}]"


def p_value(p: float) -> str:
    """Write a p-value to three places."""
    return "< .001" if p < 0.001 else score(p)


def p_in_words(p: float) -> str:
    """Write a p-value in a sentence: p = .034, p < .001."""
    written = p_value(p)
    return f"p {written}" if written.startswith("<") else f"p = {written}"


def apart(difference: float) -> str:
    """Write a difference in words: .017 higher, .023 lower, or the same."""
    text = signed(difference)
    if text == signed(0.0):
        return "the same"
    return f"{text[1:]} {'higher' if difference > 0 else 'lower'}"


def rate(value: float) -> str:
    """Write a learning rate as params.yaml has it: 2e-5; 0 is frozen."""
    return rate_text(value)


def percent(part: float) -> str:
    """Write a part as params.yaml gives it, in percent with all of its digits: 90%, 99.5%."""
    return f"{100 * part:g}%"


def duration(seconds: float) -> str:
    """Write seconds in words: 8.4 s, 2 min 5 s, 3 h 20 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(n: int, noun: str) -> str:
    """Write a number of things: 1 trial, 2 trials."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def listed(names: Sequence[str]) -> str:
    """Write names in a sentence: a, a and b, or a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
