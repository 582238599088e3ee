"""What a reader does with the page of a finished project, in one tab of a real browser that all tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from html_page import parsed
from opened_page import Opened
from usual_project import BEST, N_TRIALS, rates_of, score_of, write_usual_report

from finetune_alf.rates import rate_text

HEIGHT = "each => each.getBoundingClientRect().height"
CENTRE = "each => { const box = each.getBoundingClientRect(); return (box.left + box.right) / 2; }"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_usual_report(tmp_path_factory.mktemp("usual")).with_suffix(".html")


@pytest.fixture(scope="module")
def opened(browser: Any, file: Path) -> Iterator[Opened]:
    found = Opened(browser, file, 1400, "light")
    yield found
    found.tab.close()


@pytest.fixture
def chart(opened: Opened) -> Callable[[str], Any]:
    return lambda name: opened.tab.locator(f"[data-chart='figure-minilm-{name}']")


def shown_texts(chart: Any, role: str) -> list[str]:
    return [each.strip() for each in chart.locator(f".{role} text").all_text_contents()]


def test_hovering_over_a_trial_shows_its_score_and_all_of_its_rates(opened: Opened, chart: Any) -> None:
    point = chart("search").locator(".search_trials_marks path").nth(BEST - 1)  # trial 5 failed, and has no point
    assert point.evaluate("each => each.__data__.datum.trial") == BEST
    point.hover()
    tooltip = opened.tab.locator("#vg-tooltip-element.visible")
    keys, values = (tooltip.locator(f"td.{kind}").all_inner_texts() for kind in ("key", "value"))
    shown = dict(zip((key.rstrip(":") for key in keys), values, strict=True))
    assert shown["trial"] == str(BEST)
    assert shown["validation accuracy"] == f"{score_of(BEST):.3f}"
    assert {address: shown[address] for address in rates_of(BEST)} == {
        address: rate_text(rate) for address, rate in rates_of(BEST).items()
    }


def test_a_click_on_a_registered_trial_picks_it_although_a_ring_is_around_it(opened: Opened, chart: Any) -> None:
    chart("search").locator(".search_trials_marks path").nth(BEST - 1).click()
    picked = opened.tab.locator("[data-pick]").first
    assert picked.input_value() == str(BEST)
    picked.select_option("")


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("number", list(range(N_TRIALS))),
        ("layer.3", sorted(range(N_TRIALS), key=lambda number: -rates_of(number)["layer.3"])),
        ("score", sorted(range(N_TRIALS), key=lambda number: -(score_of(number) or 0))),
    ],
)
def test_every_trial_is_in_the_order_that_the_list_names(opened: Opened, chart: Any, order: str, first: list) -> None:
    def key(number: int) -> float:
        return {"number": number, "score": score_of(number) or 0}.get(order, rates_of(number).get(order, 0.0))

    chart("trials").locator("select").select_option(order)
    expected = [key(number) for number in first]
    labels = chart("trials").locator(".role-axis-label text")
    placed = labels.evaluate_all(
        """each => each.filter((text) => text.textContent.includes(' · '))
            .map((text) => [text.getBoundingClientRect().top, parseInt(text.textContent)])"""
    )
    assert [key(number) for _, number in sorted(placed)] == expected


def test_the_list_of_schemes_chooses_the_confusion_matrix(file: Path, chart: Any) -> None:
    rows = parsed(file.read_text("utf-8")).specs()["figure-minilm-confusion"]["datasets"]["cells"]
    select = chart("confusion").locator("select")
    schemes = select.locator("option").all_inner_texts()
    assert len(schemes) > 2
    for scheme in reversed(schemes):
        select.select_option(scheme)
        texts = shown_texts(chart("confusion"), "mark-text.role-mark")
        assert sorted(texts[:4]) == sorted(str(row["texts"]) for row in rows if row["scheme"] == scheme)
        assert shown_texts(chart("confusion"), "role-title-text") == [scheme]


def test_the_button_copies_the_lines_of_the_card(opened: Opened) -> None:
    opened.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.tab.locator("button.copy").first.click()
    opened.tab.wait_for_function("() => document.querySelector('button.copy').textContent === 'Copied'")
    lines = opened.tab.locator(".snippet code").first.text_content()
    assert opened.tab.evaluate("navigator.clipboard.readText()") == lines
    assert "finetune-alf" in lines


def test_the_strip_is_hatched_where_a_layer_barely_moves_and_nowhere_else(file: Path, chart: Any) -> None:
    cells = parsed(file.read_text("utf-8")).specs()["figure-minilm-strip"]["datasets"]["cells"]
    barely = [cell for cell in cells if cell.get("does") == "barely moves"]
    assert 0 < len(barely) < len(cells)
    hatched = chart("strip").locator(".mark-rect.role-mark path[fill^='url(']")
    assert sorted(hatched.evaluate_all("all => all.map((each) => each.__data__.datum.address)")) == sorted(
        cell["address"] for cell in barely
    )
    assert all(height > 0 for height in [each.evaluate(HEIGHT) for each in hatched.all()])


def test_the_forest_has_a_line_at_zero_from_top_to_bottom(chart: Any) -> None:
    forest = chart("forest")
    zero = forest.locator(".mark-rule.role-mark line").first
    (label,) = [each for each in forest.locator(".role-axis-label text").all() if float_of(each.text_content()) == 0]
    assert zero.evaluate(CENTRE) == pytest.approx(label.evaluate(CENTRE), abs=1.5)
    assert zero.evaluate(HEIGHT) == pytest.approx(forest.locator("path.background").first.evaluate(HEIGHT), rel=0.02)


def float_of(text: str) -> float | None:
    try:
        return float(text.replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return None


def colours(chart: Any) -> list[str]:
    """Return the colours of names of ticks, of titles and of the grid."""
    parts = (("role-axis-label text", "fill"), ("role-axis-title text", "fill"), ("role-axis-grid line", "stroke"))
    return [chart.locator(f".{part}").first.evaluate(f"each => getComputedStyle(each).{kind}") for part, kind in parts]


def test_on_paper_the_marks_of_a_dark_page_are_those_of_a_light_one(opened: Opened, chart: Any) -> None:
    light = colours(chart("search")), opened.background()
    try:
        opened.tab.emulate_media(color_scheme="dark")
        dark = colours(chart("search")), opened.background()
        opened.tab.emulate_media(color_scheme="dark", media="print")
        printed = colours(chart("search")), opened.background()
    finally:
        opened.tab.emulate_media(color_scheme="light", media="screen")
    assert all(one != other for one, other in zip(dark[0], light[0], strict=True))
    assert printed == (["rgb(0, 0, 0)", "rgb(68, 68, 68)", "rgb(204, 204, 204)"], "rgb(255, 255, 255)")
    assert (colours(chart("search")), opened.background()) == light


def test_the_link_at_the_end_opens_the_same_numbers_as_text(browser: Any, file: Path) -> None:
    tab = browser.new_page()
    tab.goto(file.as_uri())
    with tab.expect_navigation():
        tab.locator("footer a").click()
    assert tab.url == file.with_suffix(".md").as_uri()
    assert tab.locator("body").inner_text().startswith("# Adaptive layer freezing: demo")
    tab.close()


def test_none_of_this_gave_a_message_or_a_request(opened: Opened) -> None:
    opened.assert_nothing_is_wrong()
