"""Vega-Lite configurations for a light and a dark page."""

from typing import Any


def theme(*, is_dark: bool = False) -> dict[str, Any]:
    """Return the configuration of all pictures: fonts, sizes, and the colours of text, axes and grid."""
    text, faint, rule = ("#e6e6e6", "#b0b0b0", "#3d434b") if is_dark else ("#1f2328", "#57606a", "#e1e4e8")
    return {
        "background": "transparent" if is_dark else "white",
        "font": "system-ui, 'Liberation Sans', Arial, sans-serif",
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
