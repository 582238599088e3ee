"""Pictures: one definition, and equal ones in every form."""

import io
import json
import shlex
import shutil
import subprocess
import sys
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import altair as alt
import pytest
import vl_convert
from PIL import Image

from finetune_alf.errors import InputError
from finetune_alf.figures.picture import MIME, PNG_SCALE, Picture
from finetune_alf.figures.theme import FONT


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


def test_the_font_of_pictures_lies_in_the_package_with_its_licence() -> None:
    fonts = files("finetune_alf.figures") / "fonts"
    assert draw().themed()["config"]["font"].startswith(f"'{FONT}'")
    assert {each.name for each in fonts.iterdir()} == {"AlfSans-Regular.ttf", "AlfSans-Bold.ttf", "OFL.txt"}
    assert all(FONT.encode("utf-16-be") in (fonts / f"AlfSans-{face}.ttf").read_bytes() for face in ("Regular", "Bold"))
    assert "SIL OPEN FONT LICENSE" in (fonts / "OFL.txt").read_text("utf-8")


DIGEST_OF_PNG = f"""
import sys
from hashlib import sha256
sys.path.append({str(Path(__file__).parent)!r})
from test_picture import draw
print(sha256(draw().png()).hexdigest())
"""


def digest_of_png(*before: str) -> str:
    """Return the digest of a picture with text that another process draws after these commands of a shell."""
    command = " && ".join([*before, f"{shlex.quote(sys.executable)} -c {shlex.quote(DIGEST_OF_PNG)}"])
    shell = ["unshare", "--map-root-user", "--mount", "sh", "-c", command] if before else ["sh", "-c", command]
    return subprocess.run(shell, capture_output=True, text=True, check=True).stdout.strip()


def test_two_conversions_are_equal_also_in_another_process() -> None:
    assert digest_of_png() == sha256(draw().png()).hexdigest()


def test_a_machine_without_fonts_gives_the_same_png() -> None:
    hidden = [f"mount -t tmpfs none {each}" for each in ("/usr/share/fonts", "/etc/fonts") if Path(each).is_dir()]
    if shutil.which("unshare") is None or not hidden:
        pytest.skip("no fonts can be hidden: there is no `unshare`, or no folder of fonts")
    try:
        found = digest_of_png(*hidden)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no fonts can be hidden: {error.stderr}")
    assert found == sha256(draw().png()).hexdigest()
