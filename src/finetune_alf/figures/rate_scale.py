"""Learning rates in colour: a logarithmic scale, and a colour outside of it for a rate of 0, which is frozen."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from finetune_alf.rates import Address

Rates = Mapping[str, float] | Mapping[Address, float]
"""Rates by address; LayerRates is such a mapping."""

FROZEN_COLOR = "#c9ccd1"
"""Lighter than any colour of a rate that is not high, and without hue."""

SCHEME = "viridis"
"""Even steps for the eye, also for colour-blind readers and in print: dark is low, yellow is high."""

DARK, LIGHT = "#10141a", "#ffffff"


def rate_domain(rates: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and the highest rate above 0; a decade where there is one rate at most."""
    positive = [rate for rate in rates if rate > 0] or [1e-5]
    low, high = min(positive), max(positive)
    return (low, high) if low < high else (low / 10, high)


def rate_color(alt: Any, rates: Sequence[float]) -> Any:
    """Return the encoding of rates as colour; `alt` is altair."""
    scale = alt.Scale(type="log", domain=list(rate_domain(rates)), scheme=SCHEME, clamp=True)
    legend = alt.Legend(
        title="learning rate (grey: frozen)",
        format=".0e",
        values=_decades(rates),
        gradientLength=200,
        gradientThickness=10,
    )
    rate = alt.Color("rate:Q", scale=scale, legend=legend)
    return alt.condition("datum.rate > 0", rate, alt.value(FROZEN_COLOR))


def _decades(rates: Sequence[float]) -> list[float]:
    """Return the powers of ten in the domain, at most four, so that their labels do not meet."""
    low, high = (math.log10(end) for end in rate_domain(rates))
    decades = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    return [10.0**decade for decade in decades[:: -max(1, -(-len(decades) // 4))]][::-1]


def text_on(alt: Any, rates: Sequence[float]) -> Any:
    """Return the colour of a text on the colour of a rate: dark on the light ones."""
    low, high = rate_domain(rates)
    middle = low ** (1 - 0.62) * high**0.62
    is_light = f"datum.rate == 0 || datum.rate > {middle:.3g}"
    return alt.condition(is_light, alt.value(DARK), alt.value(LIGHT))


def address_axis(alt: Any, width: str) -> Any:
    """Return an axis of addresses whose labels are short where a band is narrow; `width` is an expression of that."""
    short = "replace(replace(datum.label, 'layer.', ''), 'embeddings', 'emb')"
    return alt.Axis(labelAngle=0, labelExpr=f"{width} < 66 ? {short} : datum.label", labelOverlap=False)
