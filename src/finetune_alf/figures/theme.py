"""Vega-Lite configurations: for a light and a dark background, and for a page whose style has the colours."""

from typing import Any

FONT = "Alf Sans"
"""The font of all pictures as files; it lies beside this module, so that they are the same on every machine."""

FONTS = f"'{FONT}', system-ui, 'Liberation Sans', Arial, sans-serif"


def theme(*, is_dark: bool = False) -> dict[str, Any]:
    """Return the configuration of pictures: fonts, sizes, and the colours of text, axes and grid."""
    if is_dark:
        return _configuration("transparent", "#e6e6e6", "#b0b0b0", "#3d434b")
    return _configuration("white", "#1f2328", "#57606a", "#e1e4e8")


def page_theme() -> dict[str, Any]:
    """Return the configuration for a page of HTML, whose style says what the colours are."""
    return _configuration("transparent", "var(--text)", "var(--faint)", "var(--rule)")


def _configuration(background: str, text: str, faint: str, rule: str) -> dict[str, Any]:
    return {
        "background": background,
        "font": FONTS,
        "view": {"stroke": None},
        "title": {"color": text, "subtitleColor": faint, "fontSize": 13, "anchor": "start", "fontWeight": 600},
        "axis": {
            "labelColor": text,
            "titleColor": faint,
            "gridColor": rule,
            "domainColor": rule,
            "tickColor": rule,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "labelLimit": 240,
        },
        "legend": {
            "labelColor": text,
            "titleColor": faint,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "orient": "top",
            "labelLimit": 240,
        },
        "header": {"labelColor": text, "titleColor": faint, "labelFontSize": 12, "labelFontWeight": 600},
        "text": {"color": text},
        "rule": {"color": faint},
    }
