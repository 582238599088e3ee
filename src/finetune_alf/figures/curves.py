"""Learning curves: training loss, validation loss and validation score by epoch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.line_points import LinePoint, LinesLook
from finetune_alf.figures.lines import lines
from finetune_alf.figures.picture import Picture


@dataclass(frozen=True)
class Curve:
    """The epochs of one fit; None where a value was not measured."""

    label: str
    epochs: tuple[int, ...]
    train_loss: tuple[float | None, ...]
    validation_loss: tuple[float | None, ...]
    validation_score: tuple[float | None, ...]


def curves_info(fits: Sequence[Sequence[Mapping[str, Any]]], labels: Sequence[str]) -> tuple[Curve, ...]:
    """Return one labelled curve for each fit, from its epoch records."""

    def column(epochs: Sequence[Mapping[str, Any]], name: str) -> tuple[float | None, ...]:
        return tuple(epoch.get(name) for epoch in epochs)

    return tuple(
        Curve(
            label,
            tuple(int(epoch["epoch"]) for epoch in epochs),
            column(epochs, "train_loss"),
            column(epochs, "validation_loss"),
            # Records of earlier versions have `validation_accuracy` only.
            column(epochs, "validation_score" if any(map(_has_score, epochs)) else "validation_accuracy"),
        )
        for label, epochs in zip(labels, fits, strict=True)
    )


def learning_curves(
    fits: Sequence[Sequence[Mapping[str, Any]]], labels: Sequence[str], metric: str = "accuracy", name: str = "curves"
) -> Picture:
    """Draw training and validation loss, and the validation score of each fit; `name` is that of the view."""
    score = f"validation {metric.replace('_', ' ')}"
    points = [point for curve in curves_info(fits, labels) for point in _points(curve, score)]
    look = LinesLook(x="epoch", y="value", shares_y=False, height=210)
    return lines(points, look, name, f"Loss and {score} by epoch.")


def _points(curve: Curve, score: str) -> Iterator[LinePoint]:
    columns = (
        ("loss", "training", curve.train_loss),
        ("loss", "validation", curve.validation_loss),
        (score, "validation", curve.validation_score),
    )
    for panel, stroke, values in columns:
        for epoch, value in zip(curve.epochs, values, strict=True):
            yield LinePoint(curve.label, epoch, value, panel=panel, stroke=stroke)


def _has_score(epoch: Mapping[str, Any]) -> bool:
    return epoch.get("validation_score") is not None
