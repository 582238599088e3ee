"""What the page is made of, read and drawn once."""

from typing import Any

from finetune_alf.figures.intervals import Interval, IntervalsStyle, intervals
from finetune_alf.report.blocks import Figure
from finetune_alf.report.contents import Contents, contents_of
from finetune_alf.report.part import DocumentPart, Part
from finetune_alf.report.section import Section


def part_with(*schemes: str) -> Part:
    section, style = Section(), IntervalsStyle(x="score", labels=schemes)
    section.text("A sentence.")
    section.figure("a.png", "Scores", intervals([Interval(each, each, 0.5) for each in schemes], style, "view", ""))
    return Part((DocumentPart("Transfer", section, ("A line.",), runs=("transfer/minilm/films",)),))


def looks_in(contents: Contents) -> list[dict[str, tuple[str, str]]]:
    """Return colour and shape by name, of each picture."""
    blocks = [block for part in contents.parts for document in part.documents for block in document.section.blocks]
    return [_looks(block.picture.spec) for block in blocks if isinstance(block, Figure)]


def _looks(spec: Any) -> dict[str, tuple[str, str]]:
    encoding = next(layer["encoding"] for layer in spec["layer"] if "shape" in layer["encoding"])
    colors, shapes = (encoding[channel]["scale"]["range"] for channel in ("color", "shape"))
    return dict(zip(encoding["shape"]["scale"]["domain"], zip(colors, shapes, strict=True), strict=True))


def test_a_scheme_has_one_look_in_all_parts_of_the_page_and_no_other_scheme_has_it() -> None:
    first, second = looks_in(contents_of((), [part_with("mine", "alf-1"), part_with("yours", "mine")]))
    assert first["mine"] == second["mine"]
    assert len({first["mine"], first["alf-1"], second["yours"]}) == 3


def test_a_part_keeps_all_but_the_looks_of_its_pictures() -> None:
    given = part_with("mine", "alf-1")
    (made,) = contents_of((), [given]).parts
    assert made.in_short == given.in_short
    assert made.documents[0].runs == given.documents[0].runs
    assert made.section.markdown == given.section.markdown
