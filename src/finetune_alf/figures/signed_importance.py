"""Importance of each address's rate with its range, and beside it in which direction the rate matters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Literal

from finetune_alf.figures.palette import GREY, colors, shapes
from finetune_alf.figures.picture import Picture

N_CHARACTERS = 44
"""The length of a line that fits a phone."""

ROW = 13
"""The height of an evaluator's row in pixels."""

Sign = Literal["higher", "lower", "none", "untested", "constant"]
"""Which rates score higher; no evidence of either; not tested; or the rate never changed."""

SIGNS: dict[Sign, tuple[str, str]] = {
    "higher": ("▲", "higher rates score higher"),
    "lower": ("▼", "lower rates score higher"),
    "none": ("·", "no evidence of a direction"),
    "untested": ("?", "not tested: the sampler followed earlier scores"),
    "constant": ("–", "the rate never changed"),
}
"""Sign -> mark and words."""


@dataclass(frozen=True)
class Share:
    """An address's share in the importance, by an evaluator, with its range over subsamples.

    `chance` is the share that chance gives with 95 %: with shuffled scores.
    """

    address: str
    evaluator: str
    mean: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True)
class Direction:
    """The direction of an address's rate; `rho` is its rank correlation with the score."""

    address: str
    sign: Sign
    rho: float | None = None


def signed_importance(shares: Sequence[Share], directions: Sequence[Direction], reason: str = "") -> Picture:
    """Draw the shares, and the direction of each address on the right.

    `reason` is why nothing was estimated.
    """
    import altair as alt

    if not shares:
        words = f"Too few to say: {reason or 'no importance was estimated'}."
        lines = alt.Chart(alt.NamedData("reason")).mark_text(fontSize=13, lineHeight=18).encode(text="lines:N")
        chart = lines.properties(name="importance", width=560, height=80)
        return Picture.of(chart, words, {"reason": [{"lines": wrap(words, N_CHARACTERS)}]})
    addresses = list(dict.fromkeys(share.address for share in shares))
    evaluators = list(dict.fromkeys(share.evaluator for share in shares))
    base = alt.Chart(alt.NamedData("shares")).encode(
        y=_address(alt, addresses),
        yOffset=alt.YOffset("evaluator:N", sort=evaluators),
        color=alt.Color(
            "evaluator:N", scale=alt.Scale(domain=evaluators, range=colors(evaluators)), legend=_legend(alt)
        ),
        tooltip=["address:N", "evaluator:N", alt.Tooltip("mean:Q", title="share"), "low:Q", "high:Q", "chance:Q"],
    )
    end = 1.35 * max(max(share.high, share.chance, share.mean) for share in shares)  # room for the directions
    styles = alt.Scale(domain=evaluators, range=shapes(evaluators))
    chart = alt.layer(
        base.mark_tick(thickness=2.5, size=ROW - 2, opacity=0.9).encode(
            x=_share(alt, "chance", end), color=alt.value(GREY)
        ),
        base.mark_rule(strokeWidth=2).encode(x=_share(alt, "low", end), x2="high:Q"),
        base.mark_point(filled=True, size=55, opacity=1).encode(
            x=_share(alt, "mean", end), shape=alt.Shape("evaluator:N", scale=styles, legend=_legend(alt))
        ),
        *_directions(alt, addresses),
    ).properties(name="importance", width=560, height=len(addresses) * (ROW * len(evaluators) + 10))
    data = {
        "shares": [_share_row(share) for share in shares],
        "directions": [_direction_row(direction) for direction in directions],
    }
    return Picture.of(chart, importance_in_words(shares, directions), data)


def importance_in_words(shares: Sequence[Share], directions: Sequence[Direction]) -> str:
    """Return each address's shares, whether they lie above chance, and its direction."""
    return "Importance, as shares in the score. " + " ".join(_sentences(shares, directions))


def _sentences(shares: Sequence[Share], directions: Sequence[Direction]) -> Iterator[str]:
    by_address = {direction.address: direction for direction in directions}
    for address in dict.fromkeys(share.address for share in shares):
        own = "; ".join(
            f"{share.evaluator} {share.mean:.3f} ({share.low:.3f} to {share.high:.3f}, chance {share.chance:.3f})"
            for share in shares
            if share.address == address
        )
        yield f"{address}: {own}{_direction_in_words(by_address.get(address))}."


def _direction_in_words(direction: Direction | None) -> str:
    if direction is None:
        return ""
    return f"; {SIGNS[direction.sign][1]}{'' if direction.rho is None else f' ({direction.rho:+.2f})'}"


def _directions(alt: Any, addresses: Sequence[str]) -> Iterator[Any]:
    base = alt.Chart(alt.NamedData("directions")).encode(
        y=_address(alt, addresses),
        x=alt.value(alt.expr("width - 4")),
        text="shown:N",
        tooltip=[
            "address:N",
            alt.Tooltip("words:N", title="direction"),
            alt.Tooltip("rho:Q", title="rank correlation"),
        ],
    )
    for is_clear in (True, False):
        kept = base.transform_filter(f"{'' if is_clear else '!'}(datum.sign == 'higher' || datum.sign == 'lower')")
        style: dict[str, Any] = {"fontWeight": 700} if is_clear else {"opacity": 0.75}
        yield kept.mark_text(align="right", fontSize=12, **style)


def _address(alt: Any, addresses: Sequence[str]) -> Any:
    return alt.Y("address:N", sort=list(addresses), title=None, scale=alt.Scale(paddingInner=0.2, paddingOuter=0.1))


def _share(alt: Any, field: str, end: float) -> Any:
    scale = alt.Scale(domain=[0, round(end, 3)], nice=False)
    axis = alt.Axis(format="f", tickCount=alt.expr("max(3, width / 110)"))
    return alt.X(f"{field}:Q", title="share of the importance", scale=scale, axis=axis)


def _share_row(share: Share) -> dict[str, Any]:
    numbers = {key: round(getattr(share, key), 3) for key in ("mean", "low", "high", "chance")}
    return {"address": share.address, "evaluator": share.evaluator, **numbers}


def _direction_row(direction: Direction) -> dict[str, Any]:
    mark, words = SIGNS[direction.sign]
    shown = mark if direction.rho is None else f"{mark} {direction.rho:+.2f}"
    row = {"address": direction.address, "sign": direction.sign, "shown": shown, "words": words}
    return row if direction.rho is None else {**row, "rho": round(direction.rho, 3)}


def _legend(alt: Any) -> Any:
    return alt.Legend(title=None, symbolOpacity=1)
