"""Colours and shapes: a scheme has the same ones in every picture."""

from collections.abc import Iterable, Sequence

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

_STAR = "M0,-1L0.25,-0.34L0.95,-0.31L0.4,0.13L0.59,0.81L0,0.42L-0.59,0.81L-0.4,0.13L-0.95,-0.31L-0.25,-0.34Z"
_HEXAGON = "M-1,0L-0.5,-0.87L0.5,-0.87L1,0L0.5,0.87L-0.5,0.87Z"
_X = "M-1,-0.5L-0.5,-1L0,-0.5L0.5,-1L1,-0.5L0.5,0L1,0.5L0.5,1L0,0.5L-0.5,1L-1,0.5L-0.5,0Z"

SCHEMES = {
    "baseline": (GREY, "circle"),
    "alf-1": (BLUE, "square"),
    "alf-2": (ORANGE, "triangle-up"),
    "alf-3": (PINK, "diamond"),
    "uniform": (GREEN, "cross"),
    "decayed": (YELLOW, "triangle-down"),
    "feature_extraction": (SKY, "triangle-right"),
    "probe": ("#8C6D31", "triangle-left"),
    "tfidf": ("#B8860B", _X),
    "lora": ("#6A51A3", _HEXAGON),
    "houlsby": ("#9E3D64", _STAR),
    "contrastive": ("#1B6B5F", "diamond"),
    "published": (GREY, _X),
}
"""Colour and shape of each scheme of the package, and of published numbers: a shape of Vega's, or an SVG path."""

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
    return [color for color, _ in _styles(names)]


def shapes(names: Iterable[str]) -> list[str]:
    """Return a Vega shape for each name, as `colors` does."""
    return [shape for _, shape in _styles(names)]


def _styles(names: Iterable[str]) -> list[tuple[str, str]]:
    listed = list(names)
    taken = {part for name in listed for part in SCHEMES.get(_scheme(name), ())}
    free = sorted(_OTHERS, key=lambda style: sum(part in taken for part in style))  # those without a common part first
    free = [style for style in free if style[0] not in taken] or free
    rest = (_style(free, index) for index in range(len(listed)))
    return [SCHEMES.get(_scheme(name)) or next(rest) for name in listed]


def _style(styles: Sequence[tuple[str, str]], index: int) -> tuple[str, str]:
    """Return the look at an index; where colours begin again, they have other shapes."""
    again, place = divmod(index, len(styles))
    return styles[place][0], styles[(place + again) % len(styles)][1]


def _scheme(name: str) -> str:
    """Return the scheme in a name such as `alf-1 (trial 7)`."""
    return name.partition(" (")[0]
