"""Pictures: one definition, and equal ones in every form."""

import io
import json

import altair as alt
import pytest
import vl_convert
from PIL import Image

from finetune_alf.errors import InputError
from finetune_alf.figures.palette import SCHEMES, colors, shapes
from finetune_alf.figures.picture import MIME, PNG_SCALE, Picture


def draw() -> Picture:
    data = alt.Data(values=[{"trial": 0, "score": 0.5}, {"trial": 1, "score": 0.7}])
    chart = alt.Chart(data, name="points").mark_point().encode(x="trial:Q", y="score:Q")
    return Picture.of(chart, "Two trials.")


def test_equal_charts_are_equal_pictures_in_every_form() -> None:
    assert draw() == draw()
    assert draw().png() == draw().png()
    assert draw().svg() == draw().svg()
    assert draw().svg() != draw().svg(is_dark=True)


def test_a_png_is_the_same_picture_in_fewer_bytes() -> None:
    written = bytes(vl_convert.svg_to_png(draw().svg(), scale=PNG_SCALE))
    assert len(draw().png()) < 0.6 * len(written)
    shown, expected = (Image.open(io.BytesIO(png)) for png in (draw().png(), written))
    assert (shown.size, shown.tobytes()) == (expected.size, expected.tobytes())


def test_a_file_has_the_form_of_its_ending(tmp_path) -> None:
    for name in ("a.png", "a.svg", "a.json"):
        draw().save(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    assert json.loads((tmp_path / "a.json").read_text())["mark"] == {"type": "point"}
    with pytest.raises(InputError, match=r"must end in \.png, \.svg or \.json, but got '\.gif'"):
        draw().save(tmp_path / "a.gif")


def test_a_notebook_gets_the_chart_and_a_png_where_it_cannot_draw() -> None:
    bundle = draw()._repr_mimebundle_()
    assert bundle[MIME]["encoding"] == draw().spec["encoding"]
    assert bundle["image/png"] == draw().png()


def test_a_scheme_looks_the_same_whatever_is_beside_it() -> None:
    assert colors(["baseline", "alf-1"]) == [colors(["x", "y", "baseline"])[2], colors(["alf-1"])[0]]
    assert shapes(["alf-1"]) == [SCHEMES["alf-1"][1]]
    assert len(set(SCHEMES.values())) == len(SCHEMES)


def test_names_of_no_scheme_take_the_colors_that_are_free() -> None:
    names = ["alf-1", *(f"trial {index}" for index in range(5))]
    assert len(set(colors(names))) == 6
    many = [f"trial {index}" for index in range(20)]
    assert len(set(zip(colors(many), shapes(many), strict=True))) == 20
