"""Learning curves: training loss, validation loss and validation score by epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from finetune_alf.figures.line_points import LinePoint, LinesStyle
from finetune_alf.figures.lines import lines
from finetune_alf.figures.picture import Picture


@dataclass(frozen=True)
class Curve:
    """The epochs of one fit, in order; None where a value was not measured."""

    label: str
    epochs: tuple[int, ...]
    train_loss: tuple[float | None, ...]
    validation_loss: tuple[float | None, ...]
    validation_score: tuple[float | None, ...]


def learning_curves(curves: Sequence[Curve], metric: str = "accuracy", name: str = "curves") -> Picture:
    """Draw training and validation loss, and the validation score of each fit; `name` is that of the view."""
    score = f"validation {metric.replace('_', ' ')}"
    points = [point for curve in curves for point in _points(curve, score)]
    style = LinesStyle(x="epoch", y="value", shares_y=False, height=210)
    return lines(points, style, name, f"Loss and {score} by epoch.")


def _points(curve: Curve, score: str) -> Iterator[LinePoint]:
    columns = (
        ("loss", "training", curve.train_loss),
        ("loss", "validation", curve.validation_loss),
        (score, "validation", curve.validation_score),
    )
    for panel, stroke, values in columns:
        for epoch, value in zip(curve.epochs, values, strict=True):
            yield LinePoint(curve.label, epoch, value, panel=panel, stroke=stroke)
