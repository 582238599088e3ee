"""Axes and texts of pictures as they are drawn: no number stands twice on an axis, and no text runs over another."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from finetune_alf.documents import Estimate
from finetune_alf.figures.chosen_curves import TrialCurve, chosen_curves
from finetune_alf.figures.confusion import confusion_matrix
from finetune_alf.figures.curves import Curve, learning_curves
from finetune_alf.figures.dots import Dot, dots
from finetune_alf.figures.forest import ForestRow, forest
from finetune_alf.figures.intervals import Interval, IntervalsStyle, intervals
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.scatter import ScatterStyle, Spot, scatter
from finetune_alf.figures.search import search_chart
from finetune_alf.figures.search_info import ScorePath, SearchInfo
from finetune_alf.figures.signed_importance import Share, signed_importance
from finetune_alf.figures.strip import schedule_strip, strip_cells
from finetune_alf.figures.trial_table import TrialRow
from finetune_alf.rates import LayerRates

SVG = "{http://www.w3.org/2000/svg}"
BOLD = 0.5
"""The mean width of a sign of a rate such as 1.23e-5 in bold, as a part of its size."""


@dataclass(frozen=True)
class Text:
    """A text as it is drawn: where, how large, and by how many degrees it is turned."""

    words: str
    x: float
    y: float
    size: float
    turned: float


def texts(picture: Picture, role: str) -> Iterator[list[Text]]:
    """Yield the texts of each group of this role."""
    for group in ElementTree.fromstring(picture.svg()).iter(f"{SVG}g"):  # noqa: S314 - our own
        if role in group.get("class", "").split():
            yield [_text(each) for each in group.iter(f"{SVG}text")]


def _text(element: ElementTree.Element) -> Text:
    place = element.get("transform", "")
    x, y = map(float, re.search(r"translate\(([^,]+),([^)]+)\)", place).groups())
    turned = re.search(r"rotate\(([^,)]+)", place)
    size = float(element.get("font-size", "0").removesuffix("px"))
    return Text("".join(element.itertext()), x, y, size, float(turned[1]) if turned else 0.0)


def numbers(picture: Picture) -> list[list[str]]:
    """Return the labels of each axis that has numbers."""
    axes = [[text.words.replace("\u2212", "-") for text in own] for own in texts(picture, "role-axis-label")]
    return [own for own in axes if own and all(re.fullmatch(r"[+-]?[\d.,]+", each) for each in own)]


def searched(scores: Sequence[float], *paths: ScorePath) -> Picture:
    trials = tuple(TrialRow(number, (1e-5, 1e-3), score) for number, score in enumerate(scores))
    return search_chart(SearchInfo("validation spearman", ("layer.0", "head"), trials, paths=paths))


def compared(*ends: float) -> ForestRow:
    return ForestRow("films", "alf-1", *ends, n_texts=5000, n_seeds=5, p=0.5)


SAME = Estimate(mean=0.9001, low=0.9001, high=0.9001)
CLOSE = {
    "importance of 24 layers": lambda: signed_importance(
        [Share(f"layer.{index}", "fanova", 0.04, 0.02, 0.08, 0.07) for index in range(24)], ()
    ),
    "close scores of a search": lambda: searched([0.9012, 0.9044, 0.9021]),
    "a search that hardly varies": lambda: searched([0.9001, 0.9002], ScorePath("alf-1", 0, 0.9001, SAME, None)),
    "close differences": lambda: forest([compared(0.001, -0.002, 0.004)], "plain fine-tuning", "test accuracy"),
    "two epochs": lambda: chosen_curves([TrialCurve(0, (0.5, 0.7), (), "alf-1")], "score", "accuracy", "c"),
    "three epochs": lambda: chosen_curves([TrialCurve(0, (0.5, 0.7, 0.6), (), "alf-1")], "score", "accuracy", "c"),
    "thirty epochs": lambda: chosen_curves([TrialCurve(0, (0.5, 0.7) * 15, (), "alf-1")], "score", "accuracy", "c"),
    "curves that hardly vary": lambda: chosen_curves([TrialCurve(0, (0.9, 0.9003), (), "a")], "score", "score", "c"),
}


@pytest.mark.parametrize("draw", CLOSE.values(), ids=CLOSE)
def test_no_number_stands_twice_on_an_axis(draw) -> None:
    found = numbers(draw())
    assert found
    for own in found:
        assert len({float(each.replace(",", "")) for each in own}) == len(own), own


LEVEL = {
    "dots": lambda: dots([Dot("alf-1", 0.9), Dot("alf-1", 0.9)], ["alf-1"], "score", "d", ""),
    "intervals": lambda: intervals([Interval("a", "a", 0.9)], IntervalsStyle("score", ("a",)), "i", ""),
    "a panel of intervals": lambda: intervals(
        [Interval("a", "a", 0.9, panel="one"), Interval("a", "a", 3.4, panel="two")],
        IntervalsStyle("score", ("a",), shares_x=False), "i", "",
    ),
    "scatter": lambda: scatter([Spot("a", 2.0, 0.9)], ScatterStyle("seconds", "score"), "s", ""),
    "a panel of curves": lambda: learning_curves([Curve("a", (1, 2), (0.7, 0.6), (0.7, 0.8), (0.9, 0.9))]),
    "search": lambda: searched([0.9, 0.9]),
    "curves of trials": lambda: chosen_curves([TrialCurve(0, (0.9, 0.9), (), "alf-1")], "score", "score", "c"),
}  # fmt: skip


@pytest.mark.parametrize("draw", LEVEL.values(), ids=LEVEL)
def test_a_value_that_is_the_same_throughout_has_its_number_on_the_axis(draw) -> None:
    assert 0.9 in [float(each) for own in numbers(draw()) for each in own]


def rates_in_cells(n_layers: int, rate: float) -> list[Text]:
    schedule = LayerRates.of(rate, [rate] * n_layers, rate)
    drawn = texts(schedule_strip(strip_cells({"baseline": schedule, "alf-1": schedule})), "role-mark")
    return [text for own in drawn for text in own if "e-" in text.words and text.size]


@pytest.mark.parametrize("rate", [2e-5, 1.23e-5])
@pytest.mark.parametrize("n_layers", [3, 6, 12, 24])
def test_a_rate_in_a_strip_lies_within_its_cell(n_layers: int, rate: float) -> None:
    found = rates_in_cells(n_layers, rate)
    assert len(found) == 2 * (n_layers + 2)
    across, along = 560 / (n_layers + 2), 34
    for text in found:
        length = BOLD * text.size * len(text.words)
        wide, high = (text.size, length) if text.turned % 180 else (length, text.size)
        assert (wide <= across, high <= along) == (True, True), text
        assert text.size >= 7


def test_the_names_of_many_classes_lie_below_each_other() -> None:
    names = [f"card_payment_{index}" for index in range(77)]
    matrix = [[40 * (row == column) for column in range(77)] for row in range(77)]
    axes = texts(confusion_matrix({"alf-1": matrix}, names), "role-axis-label")
    ys = next(own for own in (sorted(text.y for text in axis) for axis in axes) if own[-1] > own[0])
    assert len(ys) == 77
    assert min(after - before for before, after in pairwise(ys)) >= 11


def test_large_numbers_in_a_matrix_lie_within_their_cells() -> None:
    names = [f"class {index}" for index in range(17)]
    matrix = [[12345 if row == column else 1234 for column in range(17)] for row in range(17)]
    drawn = [text for own in texts(confusion_matrix({"alf-1": matrix}, names), "role-mark") for text in own]
    found = [text for text in drawn if text.words == "12,345"]
    assert len(found) == 17
    assert all(text.size * (5 * 0.556 + 0.278) <= 520 / 17 for text in found)
