"""The page in a real browser, from disk.

axe-core is at $AXE or in node_modules, where `npm install --no-save axe-core` puts it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opened_page import EVERYWHERE, Opened

ROOT = Path(__file__).parents[2]
AXE = Path(os.environ.get("AXE", ROOT / "node_modules" / "axe-core" / "axe.min.js"))
OFTEN = ((390, "light"), (1400, "dark"))
"""Where the page is checked with every change: each width and each scheme once."""
CURVES = "document.querySelector('[data-chart=figure-minilm-score-curves] svg')"


@pytest.fixture
def opened(browser: Any, page: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    width, scheme = request.param
    found = Opened(browser, page.with_suffix(".html"), width, scheme)
    yield found
    found.tab.close()


@pytest.mark.parametrize("opened", [(390, "dark")], indirect=True)
def test_it_opens_from_disk_without_a_message_or_a_request_and_draws_every_chart(opened: Opened) -> None:
    assert opened.tab.locator("[data-chart]").count() == opened.tab.locator("[data-chart] svg[role=img]").count() > 0
    opened.assert_nothing_is_wrong()


@pytest.mark.long
@pytest.mark.parametrize("opened", EVERYWHERE, indirect=True)
def test_the_button_changes_the_colours_of_page_and_charts(opened: Opened) -> None:
    def label() -> Any:
        text = opened.tab.locator("[data-chart='figure-minilm-search'] .role-axis-label text").first
        return text.evaluate("each => getComputedStyle(each).fill")

    before = opened.background(), label()
    opened.tab.locator("button.theme").click()
    after = opened.background(), label()
    assert all(one != other for one, other in zip(before, after, strict=True))
    opened.assert_nothing_is_wrong()


@pytest.mark.long
@pytest.mark.parametrize("opened", EVERYWHERE, indirect=True)
def test_a_trial_that_is_picked_shows_its_curve(opened: Opened) -> None:
    select = opened.tab.locator("[data-pick]").first
    select.select_option("1")
    opened.tab.wait_for_function(
        "document.querySelector('[data-chart$=score-curves] svg').textContent.includes('trial 1')"
    )
    assert opened.tab.locator("[data-pick]").last.input_value() == "1"
    select.select_option("")
    opened.tab.wait_for_function(
        "!document.querySelector('[data-chart$=score-curves] svg').textContent.includes('trial 1')"
    )
    opened.assert_nothing_is_wrong()


@pytest.mark.long
@pytest.mark.parametrize("opened", EVERYWHERE, indirect=True)
def test_a_click_on_a_trial_picks_it_in_every_chart(opened: Opened) -> None:
    cells = opened.tab.locator("[data-chart='figure-minilm-trials'] .mark-rect.role-mark path")
    cells.first.click()
    picked = opened.tab.locator("[data-pick]").first.input_value()
    assert picked != ""
    assert opened.tab.locator("[data-pick]").last.input_value() == picked
    opened.assert_nothing_is_wrong()


@pytest.mark.long
@pytest.mark.parametrize("opened", EVERYWHERE, indirect=True)
def test_a_click_on_a_point_of_the_search_picks_its_trial(opened: Opened) -> None:
    points = opened.tab.locator("[data-chart='figure-minilm-search'] .search_trials_marks path")
    trial = points.last.evaluate("point => point.__data__.datum.trial")
    points.last.click()
    assert opened.tab.locator("[data-pick]").first.input_value() == str(trial)
    opened.assert_nothing_is_wrong()


@pytest.mark.long
@pytest.mark.parametrize("opened", EVERYWHERE, indirect=True)
def test_tables_unfold_and_sort_by_keyboard(opened: Opened) -> None:
    table = opened.tab.locator("#minilm-importance ~ details.more")
    table.locator("summary").first.press("Enter")
    inner = table.locator("details.fold").first
    inner.locator("summary").press("Enter")
    head = inner.locator("thead th").nth(1)

    def shares() -> list[float]:
        return [float(each) for each in inner.locator("tbody td:nth-child(2)").all_inner_texts()]

    written = shares()
    head.locator("button").press("Enter")
    assert shares() == sorted(written)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").press("Enter")
    assert shares() == sorted(written, reverse=True)
    opened.assert_nothing_is_wrong()


@pytest.mark.long
@pytest.mark.parametrize("opened", [(390, "light")], indirect=True)
def test_on_a_small_screen_the_contents_are_a_menu(opened: Opened) -> None:
    contents, menu = opened.tab.locator("#contents"), opened.tab.locator("button.menu")
    assert not contents.is_visible()
    menu.click()
    assert contents.is_visible()
    opened.tab.keyboard.press("Escape")
    assert not contents.is_visible()
    menu.click()
    contents.locator("a[href='#minilm-search']").click()
    assert not contents.is_visible()
    assert opened.tab.evaluate("location.hash") == "#minilm-search"


@pytest.mark.long
@pytest.mark.parametrize("opened", [(1400, "dark")], indirect=True)
def test_on_paper_all_is_open_and_light(opened: Opened) -> None:
    opened.tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    opened.tab.emulate_media(media="print")
    assert opened.tab.locator("details:not([open])").count() == 0
    assert opened.background() == "rgb(255, 255, 255)"
    assert not opened.tab.locator("#contents").is_visible()
    opened.tab.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.tab.locator("details[open]").count() == 0


@pytest.mark.parametrize(
    "opened",
    [pytest.param(each, marks=() if each in OFTEN else pytest.mark.long) for each in EVERYWHERE],
    indirect=True,
)
def test_axe_finds_no_serious_fault(opened: Opened) -> None:
    if not AXE.exists():
        pytest.skip(f"no axe-core: {AXE} is not there")
    opened.tab.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    found = opened.tab.evaluate(f"{AXE.read_text('utf-8')};axe.run()")
    faults = {
        each["id"]: each["nodes"][0]["html"]
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    }
    assert faults == {}
