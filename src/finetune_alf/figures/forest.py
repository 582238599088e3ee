"""Forest plot: paired differences from a reference with their intervals, by sample and scheme, on one axis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.palette import colors, shapes
from finetune_alf.figures.picture import Picture

ROW = 17
"""The height of a row in pixels."""


@dataclass(frozen=True)
class ForestRow:
    """The difference of a scheme from the reference on a sample: its mean with 95 % interval, and what it is over.

    `p` is corrected over the declared family where there is a `verdict`; an exploratory difference has none.
    """

    sample: str
    scheme: str
    mean: float
    low: float
    high: float
    n_texts: int
    n_seeds: int
    p: float
    verdict: str | None = None


def forest(rows: Sequence[ForestRow], reference: str, metric: str) -> Picture:
    """Draw a row for each sample and scheme, in the order given."""
    import altair as alt

    samples = list(dict.fromkeys(row.sample for row in rows))
    schemes = list(dict.fromkeys(row.scheme for row in rows))
    base = alt.Chart(alt.NamedData("differences")).encode(
        y=alt.Y("sample:N", sort=samples, title=None, scale=alt.Scale(paddingInner=0.25, paddingOuter=0.1)),
        yOffset=alt.YOffset("scheme:N", sort=schemes),
        color=alt.Color("scheme:N", scale=alt.Scale(domain=schemes, range=colors(schemes)), legend=_legend(alt)),
        tooltip=[
            "sample:N",
            "scheme:N",
            alt.Tooltip("difference:N"),
            alt.Tooltip("texts:Q"),
            alt.Tooltip("seeds:Q"),
            alt.Tooltip("p:N"),
            alt.Tooltip("verdict:N"),
        ],
    )
    zero = alt.Chart(alt.NamedData("line")).mark_rule(strokeDash=[4, 3]).encode(x="zero:Q")
    title, axis = (
        f"{metric}: difference from {reference}",
        alt.Axis(format="+f", tickCount=alt.expr("max(3, width / 90)")),
    )
    chart = alt.layer(
        zero,
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title, axis=axis), x2="high:Q"),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            x=alt.X("mean:Q", title=title, axis=axis),
            shape=alt.Shape("scheme:N", scale=alt.Scale(domain=schemes, range=shapes(schemes)), legend=_legend(alt)),
        ),
    ).properties(name="forest", width=560, height=len(samples) * (ROW * len(schemes) + 12))
    data = {"differences": [_row(row) for row in rows], "line": [{"zero": 0}]}
    return Picture.of(chart, forest_in_words(rows, reference, metric), data)


def forest_in_words(rows: Sequence[ForestRow], reference: str, metric: str) -> str:
    """Return each difference with its interval and verdict, by sample."""
    return f"Differences in {metric} from {reference}, with 95 % intervals. " + " ".join(_sentences(rows))


def _sentences(rows: Sequence[ForestRow]) -> Iterator[str]:
    for sample in dict.fromkeys(row.sample for row in rows):
        own = "; ".join(
            f"{row.scheme} {_difference(row)}{f', {row.verdict}' if row.verdict else ''}"
            for row in rows
            if row.sample == sample
        )
        yield f"{sample}: {own}."


def _row(row: ForestRow) -> dict[str, Any]:
    return {
        "sample": row.sample,
        "scheme": row.scheme,
        "mean": round(row.mean, 4),
        "low": round(row.low, 4),
        "high": round(row.high, 4),
        "difference": _difference(row),
        "texts": row.n_texts,
        "seeds": row.n_seeds,
        "p": "< 0.001" if row.p < 0.001 else f"{row.p:.3f}",
        "verdict": row.verdict or "exploratory",
    }


def _difference(row: ForestRow) -> str:
    return f"{row.mean:+.3f} [{row.low:+.3f}, {row.high:+.3f}]"


def _legend(alt: Any) -> Any:
    return alt.Legend(title=None, columns=alt.expr("max(2, floor(width / 130))"), symbolSize=90)
