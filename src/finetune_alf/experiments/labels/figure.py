"""The test score against the number of labelled training texts: a line with intervals for each scheme."""

from finetune_alf.experiments.labels.document import LabelsDocument
from finetune_alf.figures.line_points import Level, LinePoint, LinesStyle
from finetune_alf.figures.lines import lines
from finetune_alf.figures.picture import Picture
from finetune_alf.report.evidence import constant_prediction


def labels_plot(document: LabelsDocument) -> Picture:
    """Draw each scheme's mean score with its 95 % interval by number of texts, a panel for each sample.

    Bands of many schemes would hide each other, so intervals are lines side by side. Dashed: the score of one
    prediction for all texts.
    """
    points = [
        LinePoint(scheme, size.n_train, size.score.mean, size.score.low, size.score.high, sample)
        for sample, table in document.samples.items()
        for scheme, sizes in table.schemes.items()
        for size in sizes
        if size.score
    ]
    one = [
        Level("one prediction for all", table.sample.majority_baseline, panel=sample)
        for sample, table in document.samples.items()
    ]
    style = LinesStyle(
        x="labelled training texts",
        y=f"test {document.metric.replace('_', ' ')}, 95 % interval (dashed: {constant_prediction(document.metric)})",
        x_scale="log",
        x_ticks=document.n_train,
        intervals="bars",
    )
    text = f"Test {document.metric.replace('_', ' ')} by the number of labelled training texts."
    return lines(points, style, f"{document.name}-labels", text, one)
