"""Colours and shapes: a scheme has the same ones in every picture."""

from collections.abc import Iterable

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7A7A7A",
)
"""Distinct for colour-blind readers: Okabe and Ito 2008, "Color Universal Design"; their black is grey here, so that a
dark page shows it."""

SCHEMES = {
    "baseline": (GREY, "circle"),
    "alf-1": (BLUE, "square"),
    "alf-2": (ORANGE, "triangle-up"),
    "alf-3": (PINK, "diamond"),
    "uniform": (GREEN, "cross"),
    "decayed": (YELLOW, "triangle-down"),
    "feature_extraction": (SKY, "triangle-right"),
    "probe": ("#8C6D31", "triangle-left"),
    "tfidf": ("#B8860B", "stroke"),
    "lora": ("#6A51A3", "wedge"),
    "houlsby": ("#9E3D64", "arrow"),
    "contrastive": ("#1B6B5F", "diamond"),
}
"""Colour and Vega shape of each scheme of the package."""

_OTHERS = (
    (BLUE, "circle"),
    (ORANGE, "square"),
    (GREEN, "triangle-up"),
    (PINK, "diamond"),
    (YELLOW, "cross"),
    (SKY, "triangle-down"),
    (GREY, "triangle-right"),
)


def colors(names: Iterable[str]) -> list[str]:
    """Return a colour for each name: a scheme's own one, and for the rest the others in order."""
    return [color for color, _ in _looks(names)]


def shapes(names: Iterable[str]) -> list[str]:
    """Return a Vega shape for each name, as `colors` does."""
    return [shape for _, shape in _looks(names)]


def _looks(names: Iterable[str]) -> list[tuple[str, str]]:
    listed = list(names)
    taken = {SCHEMES[name] for name in listed if name in SCHEMES}
    free = [look for look in _OTHERS if look[0] not in {color for color, _ in taken}] or list(_OTHERS)
    rest = (free[index % len(free)] for index in range(len(listed)))
    return [SCHEMES[name] if name in SCHEMES else next(rest) for name in listed]
