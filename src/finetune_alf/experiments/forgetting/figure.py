"""The validation error against the step: a line for each rate, with a band over its seeds."""

from finetune_alf.experiments.forgetting.document import ForgettingDocument
from finetune_alf.figures.line_points import Level, LinePoint, LinesStyle
from finetune_alf.figures.lines import lines
from finetune_alf.figures.picture import Picture
from finetune_alf.report.numbers import rate


def forgetting_plot(document: ForgettingDocument) -> Picture:
    """Draw each rate's mean error over its seeds, from the lowest to the highest seed as a band.

    Dashed: the error of predicting the most frequent class for all texts.
    """
    points = [
        LinePoint(rate(result.rate), error.step, error.mean, error.low, error.high)
        for result in document.rates
        for error in result.errors
    ]
    text = f"Validation error of {document.encoder.name} on {document.sample.name} by step, a line for each rate."
    style = LinesStyle(x="step", y="validation error (dashed: one class for all)", is_zero_in_y=True, height=300)
    one_class = Level("one class for all", document.sample.majority_error)
    return lines(points, style, f"{document.name}-forgetting", text, [one_class])
