"""One way of writing each kind of number."""

from html import unescape

import pytest
from markdown_it import MarkdownIt

from finetune_alf.documents import Estimate
from finetune_alf.report.html.inline import inline
from finetune_alf.report.markdown import table
from finetune_alf.report.numbers import (
    apart,
    counted,
    duration,
    estimate,
    listed,
    p_in_words,
    p_value,
    percent,
    rate,
    score,
    signed,
    signed_estimate,
)
from finetune_alf.report.section import plain


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (score(0.8124), ".812"),
        (score(1.0), "1.000"),
        (score(0.0), ".000"),
        (score(None), "–"),
        (score(10.5), "10.500"),
        (score(-0.25), "-.250"),
        (score(-0.0001), ".000"),
        (signed(0.012), "+.012"),
        (signed(-0.25), "-.250"),
        (signed(-0.0001), ".000"),
        (signed(1.0), "+1.000"),
        (estimate(Estimate(mean=0.812, low=0.771, high=0.851)), ".812 [.771, .851]"),
        (signed_estimate(0.012, -0.01, 0.034), "+.012 [-.010, +.034]"),
        (signed_estimate(0.0, 0.0, 0.0), ".000 (equal throughout)"),
        (signed_estimate(0.25, 0.25, 0.25), "+.250 (the same throughout)"),
        (signed_estimate(0.0, -0.0001, 0.0001), ".000 [-1.0e-04, +1.0e-04]"),
        (signed_estimate(None, None, None), "–"),
        (listed(["a"]), "a"),
        (listed(["a", "b"]), "a and b"),
        (listed(["a", "b", "c"]), "a, b and c"),
        (p_value(0.0004), "< .001"),
        (p_value(0.009), ".009"),
        (p_value(0.032), ".032"),
        (p_value(1.0), "1.000"),
        (p_in_words(0.0004), "p < .001"),
        (p_in_words(0.034), "p = .034"),
        (apart(0.017), ".017 higher"),
        (apart(-0.023), ".023 lower"),
        (apart(-0.0004), "the same"),
        (rate(0.0), "0"),
        (rate(2e-5), "2e-5"),
        (rate(4.75e-5), "4.75e-5"),
        (rate(1e-3), "1e-3"),
        (duration(4.96), "5.0 s"),
        (percent(0.9), "90%"),
        (percent(0.29), "29%"),
        (percent(0.995), "99.5%"),
        (duration(59.4), "59 s"),
        (duration(725), "12 min 5 s"),
        (duration(7380), "2 h 3 min"),
        (counted(1, "trial"), "1 trial"),
        (counted(1200, "text"), "1,200 texts"),
    ],
)
def test_numbers_are_written_as_expected(written: str, expected: str) -> None:
    assert written == expected


def test_words_read_from_the_left_and_numbers_from_the_right() -> None:
    assert table(("a", "b"), [("`x`", ".812 [.771, .851]")]).splitlines()[1] == "| --- | ---: |"


def test_a_pipe_or_a_line_break_does_not_break_a_row() -> None:
    assert table(("a",), [("one | two\nthree",)]).splitlines()[2] == "| one \\| two three |"


def test_text_from_outside_is_neither_markdown_nor_html() -> None:
    assert plain("<b>[x](y)*z*\n# h") == "\\<b\\>\\[x\\](y)\\*z\\* \\# h"


@pytest.mark.parametrize("name", ["&lt;b&gt;", "R&amp;D", "~~struck~~", "a|b", "<b>", "C:\\x_*y*", "🙂 `x`"])
def test_a_name_from_outside_reads_as_it_is_in_markdown_and_in_html(name: str) -> None:
    page = MarkdownIt("commonmark").enable("strikethrough").renderInline(plain(name))
    assert unescape(page) == name == unescape(inline(plain(name)))
