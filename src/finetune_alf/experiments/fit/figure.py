"""Reliability of a saved classifier: how often it is right against how sure it is, before and after calibration."""

from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.figures.style import GREY, color, marker, styled_figure


def reliability_plot(document: FitDocument) -> bytes:
    """Draw accuracy by confidence, a point for each bin that has predictions."""
    calibration = document.calibration
    with styled_figure(5.0, 4.2) as drawing:
        (axes,) = drawing.axes
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
        for index, (label, bins) in enumerate(
            (("as trained", calibration.bins_before), ("calibrated", calibration.bins_after))
        ):
            style = {"color": color(index), "marker": marker(index), "label": label}
            axes.plot([each.confidence for each in bins], [each.accuracy for each in bins], markersize=5, **style)
        axes.set(xlabel="confidence", ylabel=f"share right, {calibration.measured_on} texts", title=document.name)
        axes.legend()
        return drawing.png()
