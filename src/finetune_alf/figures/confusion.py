"""Confusion matrices with counts and shares, and how far schemes agree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.palette import GREY
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.rate_scale import DARK, LIGHT

Counts = Sequence[Sequence[int]]
"""Numbers of texts by true class, a row each, and by predicted class."""

MOST_CONFUSED = 3

WIDEST_CELL, LABELS = 140, 120
"""The most pixels across of a cell on a page, and what is left for the names of the rows."""

LOWEST_ROW, HIGHEST = 12, 2400
"""The least height of a row in pixels, so that the names of many classes lie below each other, and the most of all."""

SMALLEST_CELL = 30
"""The least side in pixels of a cell with its number of texts."""

CONFUSION = "confusion"
"""The name of the view with the matrix."""


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of two schemes, or of two seeds of the same one; None where it is undefined."""

    schemes: tuple[str, str]
    kappa: float | None


def confusion_matrix(matrices: Mapping[str, Counts], classes: Sequence[str]) -> Picture:
    """Draw the matrix of a scheme: numbers of texts, and their shares of the true class.

    With several schemes the parameter `scheme` says whose; the first one at first.
    """
    import altair as alt

    schemes = list(matrices)
    bind = alt.binding_select(options=schemes, name="scheme ") if len(schemes) > 1 else alt.Undefined
    chosen = alt.param(name="scheme", value=schemes[0], bind=bind)
    cell = f"min(bandwidth('{CONFUSION}_x'), bandwidth('{CONFUSION}_y'))"
    base = (
        alt.Chart(alt.NamedData("cells"))
        .transform_filter("datum.scheme == scheme")
        .encode(
            x=alt.X("predicted:N", sort=list(classes), title="predicted class", axis=_classes(alt, len(classes))),
            y=alt.Y("true:N", sort=list(classes), title="true class", axis=alt.Axis(labelExpr=_shown("y", 11))),
            tooltip=["scheme:N", "true:N", "predicted:N", "texts:Q", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    is_light = "datum.share < 0.5"
    text = base.encode(
        color=alt.condition(is_light, alt.value(DARK), alt.value(LIGHT)),
        opacity=alt.value(alt.expr(f"{cell} < {SMALLEST_CELL} ? 0 : 1")),
    )
    widest = max((n for counts in matrices.values() for row in counts for n in row), default=0)
    size = alt.expr(f"min(14, (bandwidth('{CONFUSION}_x') - 4) / {_ems(f'{widest:,}'):.3g})")
    chart = alt.layer(
        base.mark_rect(stroke="#7a7a7a", strokeWidth=0.5).encode(
            color=alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], scheme="blues"), legend=None)
        ),
        text.mark_text(dy=-7, fontSize=size, fontWeight=600).encode(text=alt.Text("texts:Q", format=",")),
        text.mark_text(dy=9, fontSize=11).encode(text=alt.Text("share:Q", format=".0%")),
    ).add_params(chosen)
    height = max(120, min(60 * len(classes), 520), min(LOWEST_ROW * len(classes), HIGHEST))
    rows = [row for scheme, counts in matrices.items() for row in _cells(scheme, counts, classes)]
    words = " ".join(confusion_in_words(scheme, counts, classes) for scheme, counts in matrices.items())
    chart = chart.properties(name=CONFUSION, title=alt.TitleParams(text=alt.expr("scheme")), width=560, height=height)
    return Picture.of(chart, words, {"cells": rows}, widest=LABELS + WIDEST_CELL * len(classes))


def confusion_in_words(scheme: str, counts: Counts, classes: Sequence[str]) -> str:
    """Return how many texts of each class are right, and which classes are confused most."""
    right = sum(row[index] for index, row in enumerate(counts))
    wrong = most_confused(counts, classes)[:MOST_CONFUSED]
    confused = "; ".join(f"{n} of {true} taken for {predicted}" for n, true, predicted in wrong)
    return f"{scheme}: {right:,} of {sum(map(sum, counts)):,} right{f'; {confused}' if confused else ''}."


def most_confused(counts: Counts, classes: Sequence[str]) -> list[tuple[int, str, str]]:
    """Return number of texts, true class and predicted class of each confusion, the most frequent first."""
    wrong = (
        (n, classes[true], classes[predicted])
        for true, row in enumerate(counts)
        for predicted, n in enumerate(row)
        if n and true != predicted
    )
    return sorted(wrong, key=lambda each: -each[0])


def agreement_matrix(agreements: Sequence[Agreement], n_divided: int, n_texts: int) -> Picture:
    """Draw the agreement of each two schemes; `n_divided` is the number of texts with different answers.

    Where it is undefined there is a dash.
    """
    import altair as alt

    schemes = list(dict.fromkeys(scheme for each in agreements for scheme in each.schemes))
    base = alt.Chart(alt.NamedData("agreements")).encode(
        x=alt.X("other:N", sort=schemes, title=None, axis=alt.Axis(labelAngle=-30, labelOverlap=False)),
        y=alt.Y("scheme:N", sort=schemes, title=None),
        tooltip=["scheme:N", "other:N", alt.Tooltip("kappa:Q", format=".3f")],
    )
    defined, undefined = (base.transform_filter(f"{sign}isValid(datum.kappa)") for sign in ("", "!"))
    chart = alt.layer(
        undefined.mark_rect(stroke="#7a7a7a", strokeWidth=0.5, color=GREY, opacity=0.25),
        undefined.mark_text(fontSize=12, text="–"),
        defined.mark_rect(stroke="#7a7a7a", strokeWidth=0.5).encode(
            color=alt.Color("kappa:Q", scale=alt.Scale(domain=[0, 1], scheme="blues", clamp=True), legend=None)
        ),
        defined.mark_text(fontSize=12, fontWeight=600).encode(
            text=alt.Text("kappa:Q", format=".2f"),
            color=alt.condition("datum.kappa < 0.5", alt.value(DARK), alt.value(LIGHT)),
        ),
    ).properties(name="agreement", width=560, height=40 * len(schemes))
    words, rows = agreement_in_words(agreements, n_divided, n_texts), list(_pairs(agreements))
    return Picture.of(chart, words, {"agreements": rows}, widest=LABELS + WIDEST_CELL * len(schemes))


def agreement_in_words(agreements: Sequence[Agreement], n_divided: int, n_texts: int) -> str:
    """Return on how many texts schemes differ, and the agreement of each two of them."""
    found = "; ".join(
        f"{' and '.join(dict.fromkeys(each.schemes))} {'undefined' if each.kappa is None else f'{each.kappa:.2f}'}"
        for each in agreements
    )
    return f"Schemes have different answers for {n_divided:,} of {n_texts:,} texts. Cohen's kappa: {found}."


def _cells(scheme: str, counts: Counts, classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the cells of a matrix; of many classes those with texts alone."""
    is_sparse = len(classes) > 12
    for true, row in enumerate(counts):
        for predicted, n in enumerate(row):
            if n or not is_sparse:
                cell = {"scheme": scheme, "true": classes[true], "predicted": classes[predicted], "texts": n}
                yield {**cell, "share": round(n / sum(row), 3) if n else 0}


def _pairs(agreements: Sequence[Agreement]) -> Iterator[dict[str, Any]]:
    for each in agreements:
        kappa = None if each.kappa is None else round(each.kappa, 3)
        for scheme, other in dict.fromkeys((each.schemes, each.schemes[::-1])):
            yield {"scheme": scheme, "other": other, "kappa": kappa}


def _ems(number: str) -> float:
    """Return the width of a number with its commas, in sizes of the text."""
    return 0.556 * len(number) - 0.278 * number.count(",")


def _classes(alt: Any, n: int) -> Any:
    """Return the axis of predicted classes; without names where a column is too narrow, since rows have the same."""
    return alt.Axis(labelAngle=0 if n <= 4 else -45, labelOverlap=False, labelExpr=_shown("x", 13))


def _shown(side: str, least: int) -> str:
    """Return the expression of a class's name, which is left out where there are less than so many pixels for it."""
    return f"bandwidth('{CONFUSION}_{side}') < {least} ? '' : datum.label"
