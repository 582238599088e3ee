"""Reliability of a saved classifier: how often it is right against how sure it is, before and after calibration."""

from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.figures.line_points import LinePoint, LinesStyle
from finetune_alf.figures.lines import lines
from finetune_alf.figures.picture import Picture


def reliability_plot(document: FitDocument) -> Picture:
    """Draw accuracy by confidence, a point for each bin that has predictions."""
    calibration = document.calibration
    bins = {"as trained": calibration.bins_before, "calibrated": calibration.bins_after}
    points = [LinePoint(label, each.confidence, each.accuracy) for label, own in bins.items() for each in own]
    style = LinesStyle(
        x="confidence", y=f"share right, {calibration.measured_on} texts", diagonal="as often right as sure", height=300
    )
    text = (
        f"How often {document.name} is right by its confidence: calibration error {calibration.error_before:.3f} as "
        f"trained, {calibration.error_after:.3f} calibrated."
    )
    return lines(points, style, f"{document.name}-reliability", text)
