"""The page of a finished project in a real browser: nothing is cut, and what settles nothing is not loud."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opened_page import EVERYWHERE, Opened
from usual_project import BEST, N_TRIALS, rates_of, write_usual_report

BEYOND = """() => [...document.querySelectorAll('[data-chart]')].flatMap((box) => {
  const edge = box.getBoundingClientRect();
  return [...box.querySelectorAll('svg, svg text')]
    .map((each) => [box.dataset.chart, each.textContent.slice(0, 30), each.getBoundingClientRect()])
    .filter(([, , own]) => own.width && (own.left < edge.left - 1 || own.right > edge.right + 1))
    .map(([chart, text, own]) => `${chart}: ${text} from ${own.left} to ${own.right} beyond ${edge.right}`);
})"""
"""The charts and their labels that lie beyond their box."""

TOP_ROW_IS_AMONG = """(trials) => {
  const labels = [...document.querySelectorAll("[data-chart='figure-minilm-trials'] .role-axis-label text")]
    .filter((each) => each.textContent.includes(' · '));
  const top = (each) => each.getBoundingClientRect().top;
  return trials.includes(parseInt(labels.sort((a, b) => top(a) - top(b))[0].textContent));
}"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a project whose seeds are too few for a verdict."""
    return write_usual_report(tmp_path_factory.mktemp("usual"), n_seeds=2).with_suffix(".html")


@pytest.fixture
def opened(browser: Any, file: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    found = Opened(browser, file, *request.param)
    yield found
    found.tab.close()


def size_of(opened: Opened, selector: str) -> float:
    return float(opened.tab.locator(selector).first.evaluate("each => parseFloat(getComputedStyle(each).fontSize)"))


@pytest.mark.long
@pytest.mark.parametrize("opened", EVERYWHERE, indirect=True)
def test_no_chart_or_label_is_cut(opened: Opened) -> None:
    assert opened.tab.evaluate(BEYOND) == []
    opened.assert_nothing_is_wrong()


@pytest.mark.long
@pytest.mark.parametrize("opened", [(1400, "light")], indirect=True)
def test_no_chart_or_label_is_cut_when_the_window_becomes_small(opened: Opened) -> None:
    opened.tab.evaluate("delete document.documentElement.dataset.drawn")
    opened.tab.set_viewport_size({"width": 390, "height": 844})
    assert opened.tab.evaluate(BEYOND) == []  # before they are drawn again, too
    opened.wait_until_drawn()
    assert opened.tab.evaluate(BEYOND) == []
    opened.assert_nothing_is_wrong()


@pytest.mark.long
@pytest.mark.parametrize("opened", [(390, "light")], indirect=True)
def test_the_lines_to_copy_are_whole_on_a_phone(opened: Opened) -> None:
    across = opened.tab.locator(".snippet pre").evaluate("each => each.scrollWidth - each.clientWidth")
    assert across <= 0
    assert opened.tab.locator(".snippet pre").inner_text().endswith("--out labelled.csv")


@pytest.mark.long
@pytest.mark.parametrize("opened", EVERYWHERE, indirect=True)
def test_a_difference_that_settles_nothing_is_no_larger_than_the_text(opened: Opened) -> None:
    assert size_of(opened, ".difference data") <= size_of(opened, ".reads") < size_of(opened, ".verdict")


@pytest.mark.long
@pytest.mark.parametrize("opened", [(390, "dark"), (1400, "light")], indirect=True)
def test_every_trial_can_be_sorted_by_the_rate_at_an_address(opened: Opened) -> None:
    chart = opened.tab.locator("[data-chart='figure-minilm-trials']")
    chart.locator("select").select_option("layer.3")
    rates = [rates_of(number)["layer.3"] for number in range(N_TRIALS)]
    highest = [number for number, rate in enumerate(rates) if rate == max(rates)]
    assert BEST not in highest
    opened.tab.wait_for_function(TOP_ROW_IS_AMONG, arg=highest)
    opened.assert_nothing_is_wrong()


@pytest.mark.long
@pytest.mark.parametrize("opened", [(1400, "light")], indirect=True)
def test_a_matrix_of_two_classes_is_no_wider_than_its_cells_need(opened: Opened) -> None:
    def width(chart: str) -> float:
        return float(opened.tab.locator(f"[data-chart='{chart}'] svg").evaluate("each => each.clientWidth"))

    assert width("figure-minilm-confusion") < width("figure-minilm-agreement") < width("figure-minilm-search")
