"""Colours and shapes: a scheme has the same ones in every picture."""

from collections import Counter
from collections.abc import Iterable
from itertools import product
from zlib import crc32

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#6E6E6E",
)
"""Distinct for colour-blind readers: Okabe and Ito 2008, "Color Universal Design"; their black is grey here, so that a
dark page shows it."""

BROWN, OLIVE, VIOLET, MAGENTA, LAVENDER, ROSE = "#A05030", "#B0B060", "#A000F0", "#D000B0", "#9070F0", "#D0A0A0"
"""Those that lie farthest from the others, as colour-blind readers see them, and show on a light and a dark page."""

_STAR = "M0,-1L0.25,-0.34L0.95,-0.31L0.4,0.13L0.59,0.81L0,0.42L-0.59,0.81L-0.4,0.13L-0.95,-0.31L-0.25,-0.34Z"
_HEXAGON = "M-1,0L-0.5,-0.87L0.5,-0.87L1,0L0.5,0.87L-0.5,0.87Z"
_PENTAGON = "M0,-1L0.95,-0.31L0.59,0.81L-0.59,0.81L-0.95,-0.31Z"
_X = "M-1,-0.5L-0.5,-1L0,-0.5L0.5,-1L1,-0.5L0.5,0L1,0.5L0.5,1L0,0.5L-0.5,1L-1,0.5L-0.5,0Z"
_HOURGLASS = "M-0.9,-0.9L0.9,-0.9L0.15,0L0.9,0.9L-0.9,0.9L-0.15,0Z"

Look = tuple[str, str]
"""A colour, and a shape: one of Vega's, or an SVG path."""

SCHEMES: dict[str, Look] = {
    "baseline": (GREY, "circle"),
    "alf-1": (BLUE, "square"),
    "alf-2": (ORANGE, "triangle-up"),
    "alf-3": (PINK, "diamond"),
    "uniform": (GREEN, "cross"),
    "decayed": (YELLOW, "triangle-down"),
    "feature_extraction": (SKY, "triangle-right"),
    "probe": (BROWN, "triangle-left"),
    "tfidf": (OLIVE, _X),
    "lora": (VIOLET, _HEXAGON),
    "houlsby": (MAGENTA, _STAR),
    "contrastive": (LAVENDER, _PENTAGON),
    "published": (ROSE, _HOURGLASS),
}
"""The look of each scheme of the package, and of published numbers."""

_OKABE_ITO = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, GREY)
_COLORS, _SHAPES = (tuple(each) for each in zip(*SCHEMES.values(), strict=True))
_OTHERS: tuple[Look, ...] = tuple(look for look in product(_COLORS, _SHAPES) if look not in SCHEMES.values())
"""The looks of other names."""


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return the look of each name; it depends on which names there are, and not on their order.

    A scheme of the package has its own. Each of the others has one that no other name has, up to 156 of them, in a
    colour and a shape that are as rare as can be.
    """
    schemes = {name: _scheme(name) for name in names}
    found = {scheme: SCHEMES[scheme] for scheme in set(schemes.values()) & SCHEMES.keys()}
    for scheme in sorted(set(schemes.values()) - SCHEMES.keys()):
        found[scheme] = _free_look(scheme, list(found.values()))
    return {name: found[scheme] for name, scheme in schemes.items()}


def colors(names: Iterable[str]) -> list[str]:
    """Return a colour for each name."""
    listed = list(names)
    found = looks(listed)
    return [found[name][0] for name in listed]


def shapes(names: Iterable[str]) -> list[str]:
    """Return a shape for each name."""
    listed = list(names)
    found = looks(listed)
    return [found[name][1] for name in listed]


def _free_look(scheme: str, taken: list[Look]) -> Look:
    """Return the least taken look of the least taken colour, of which Okabe's and Ito's come first.

    Of several the shape is the least taken one, and then the name decides.
    """
    n_look = Counter(taken)
    n_color, n_shape = (Counter(look[place] for look in taken) for place in (0, 1))
    start = crc32(scheme.encode())
    ranked = (_OTHERS[(start + place) % len(_OTHERS)] for place in range(len(_OTHERS)))

    def cost(look: Look) -> tuple[int, int, bool, int]:
        color, shape = look
        return n_look[look], n_color[color], color not in _OKABE_ITO, n_shape[shape]

    return min(ranked, key=cost)


def _scheme(name: str) -> str:
    """Return the scheme in a name such as `alf-1 (trial 7)`."""
    return name.partition(" (")[0]
