"""Pictures: one definition, and equal ones in every form."""

import io
import json

import altair as alt
import pytest
import vl_convert
from PIL import Image

from finetune_alf.errors import InputError
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
