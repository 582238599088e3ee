"""Learning curves: training loss, validation loss and validation score by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.style import StyledFigure, color, marker, styled_figure


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
    fits: Sequence[Sequence[Mapping[str, Any]]], labels: Sequence[str], metric: str = "accuracy"
) -> bytes:
    """Draw training and validation loss (left) and the validation score (right) of each fit."""
    info = curves_info(fits, labels)
    with styled_figure(9.0, 3.6, n_axes=2) as drawing:
        for index, curve in enumerate(info):
            _draw(drawing, index, curve)
        loss, score = drawing.axes
        loss.set(xlabel="epoch", ylabel="loss", title="training (solid), validation (dashed)")
        score.set(xlabel="epoch", ylabel=f"validation {metric.replace('_', ' ')}", title="on the validation split")
        for axes in drawing.axes:
            axes.xaxis.get_major_locator().set_params(integer=True)
        drawing.figure.legend(*score.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return drawing.png()


def _draw(drawing: StyledFigure, index: int, curve: Curve) -> None:
    loss, score = drawing.axes
    style = {"color": color(index), "marker": marker(index), "markersize": 4}
    loss.plot(curve.epochs, _none_to_nan(curve.train_loss), **style)
    loss.plot(curve.epochs, _none_to_nan(curve.validation_loss), **style, linestyle="--")
    score.plot(curve.epochs, _none_to_nan(curve.validation_score), **style, label=curve.label)


def _has_score(epoch: Mapping[str, Any]) -> bool:
    return epoch.get("validation_score") is not None


def _none_to_nan(values: tuple[float | None, ...]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
