"""Colours and shapes: those of a name are the same everywhere, and colour-blind readers can tell them apart."""

from itertools import combinations

import numpy as np
import pytest

from finetune_alf.figures.intervals import Interval, IntervalsStyle, intervals
from finetune_alf.figures.palette import SCHEMES, colors, looks, shapes
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.scatter import ScatterStyle, Spot, scatter
from finetune_alf.figures.series import alike, series

SEEN = {
    "without a deficiency": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""Linear RGB -> linear RGB as it is seen: Machado, Oliveira and Fernandes 2009, "A physiologically-based model for
simulation of color vision deficiency", IEEE TVCG 15(6), severity 1.0."""

TO_XYZ = np.array(
    [(0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041)]
)
"""Linear sRGB to CIE XYZ under D65 (IEC 61966-2-1)."""

WHITE = np.array([0.95047, 1.0, 1.08883])

CLEARLY_DIFFERENT = 12.0
"""A distance in CIE Lab, where about 2.3 is just noticed."""


def linear(color: str) -> np.ndarray:
    """Return red, green and blue of #rrggbb without the gamma of sRGB, shape (3,)."""
    shares = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def lab(color: str, deficiency: str) -> np.ndarray:
    """Return L*, a* and b* of a colour as it is seen, shape (3,)."""
    seen = np.clip(np.array(SEEN[deficiency]) @ linear(color), 0, 1)
    ratios = TO_XYZ @ seen / WHITE
    x, y, z = np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_measure_of_distances_has_known_values() -> None:
    white, red = lab("#FFFFFF", "without a deficiency"), lab("#FF0000", "without a deficiency")
    assert white == pytest.approx([100, 0, 0], abs=0.02)
    assert red == pytest.approx([53.24, 80.09, 67.20], abs=0.05)  # as in CIE Lab tables of sRGB's primaries


@pytest.mark.parametrize("deficiency", SEEN)
def test_any_two_schemes_are_clearly_different_in_colour(deficiency: str) -> None:
    distances = {
        (one, other): np.linalg.norm(lab(SCHEMES[one][0], deficiency) - lab(SCHEMES[other][0], deficiency))
        for one, other in combinations(SCHEMES, 2)
    }
    assert {pair: round(each, 1) for pair, each in distances.items() if each < CLEARLY_DIFFERENT} == {}


@pytest.mark.parametrize("background", ["#FFFFFF", "#1A1E24"])
def test_every_scheme_shows_on_a_light_and_a_dark_page(background: str) -> None:
    def luminance(color: str) -> float:
        return float(TO_XYZ[1] @ linear(color))

    found = {}
    for scheme, (color, _) in SCHEMES.items():
        low, high = sorted((luminance(color), luminance(background)))
        found[scheme] = (high + 0.05) / (low + 0.05)  # the contrast of WCAG 2
    assert {scheme: round(contrast, 2) for scheme, contrast in found.items() if contrast < 2.0} == {}


def test_any_two_schemes_differ_in_shape_too() -> None:
    assert len({shape for _, shape in SCHEMES.values()}) == len(SCHEMES)


def test_every_shape_is_drawn() -> None:
    style = ScatterStyle(x="seconds", y="score")
    drawn = scatter([Spot(name, place, 0.5) for place, name in enumerate(SCHEMES)], style, "view", "").svg()
    assert all(color.lower() in drawn.lower() for color, _ in SCHEMES.values())


def test_a_scheme_looks_the_same_whatever_is_beside_it() -> None:
    assert colors(["baseline", "alf-1"]) == [colors(["x", "y", "baseline"])[2], colors(["alf-1"])[0]]
    assert shapes(["alf-1", "alf-2 (trial 7)"]) == [SCHEMES["alf-1"][1], SCHEMES["alf-2"][1]]


def test_names_of_no_scheme_look_the_same_in_any_order() -> None:
    names = ["my-schedule", "another", "alf-1", "uniform"]
    assert looks(names) == looks(reversed(names))


def test_no_two_names_have_one_look_and_few_have_one_colour() -> None:
    names = [*SCHEMES, *(f"schedule-{number}" for number in range(156))]
    assert len(set(looks(names).values())) == len(names)
    few = [f"schedule-{number}" for number in range(13)]
    assert len(set(colors(few))) == len(few)
    assert len(set(shapes(few))) >= 12


def drawn(*names: str) -> Picture:
    style = IntervalsStyle(x="score", labels=names)
    return intervals([Interval(name, name, 0.5) for name in names], style, "view", "")


def looks_in(picture: Picture) -> dict[str, tuple[str, str]]:
    scales = {}
    for layer in picture.spec["layer"]:
        scales |= {key: layer["encoding"][key]["scale"] for key in ("color", "shape") if key in layer["encoding"]}
    names = scales["color"]["domain"]
    return dict(zip(names, zip(scales["color"]["range"], scales["shape"]["range"], strict=True), strict=True))


def test_a_scheme_looks_the_same_in_all_pictures_of_a_page_and_like_no_other() -> None:
    groups = [[f"schedule-{place}" for place in range(start, start + 6)] for start in range(0, 30, 3)]
    pictures = [drawn(*names) for names in groups]
    found: dict[str, set[tuple[str, str]]] = {}
    for picture in alike(pictures):
        for name, look in looks_in(picture).items():
            found.setdefault(name, set()).add(look)
    assert all(len(own) == 1 for own in found.values())
    assert len(set.union(*found.values())) == len(found) == 33


def test_what_has_no_names_stays_as_it_is() -> None:
    plain = Picture({"mark": "bar", "encoding": {"color": {"field": "rate"}}}, "bars")
    assert alike([plain]) == [plain]
    assert series(drawn("a", "b")) == ("a", "b")
