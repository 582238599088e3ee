"""What the usual schemes are, in half a sentence each, for whoever reads their names on a terminal."""

from collections.abc import Iterable

SCHEME_WORDS = {
    "feature_extraction": "a new head alone learns, on the encoder as it came",
    "baseline": "plain fine-tuning",
    "alf-1": "the searched rates that did best when confirmed",
    "alf-2": "the next best of them that differ clearly",
    "uniform": "the best single rate for all layers",
    "decayed": "rates that fall from layer to layer",
    "probe": "a linear model on the encoder as it came",
    "tfidf": "a linear model on words",
}
"""By the scheme's name; whoever has another one has chosen it."""


def schemes_in_words(schemes: Iterable[str]) -> str | None:
    """Return a line that says what the schemes are; None where none is usual."""
    words = [f"{scheme}: {SCHEME_WORDS[scheme]}" for scheme in dict.fromkeys(schemes) if scheme in SCHEME_WORDS]
    return f"{'; '.join(words)}." if words else None
