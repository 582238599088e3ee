"""The epochs of a fit as the curve that figures draw."""

from finetune_alf.figures.curves import Curve
from finetune_alf.train.result import FitResult


def curve_of(label: str, fit: FitResult) -> Curve:
    """Return the losses and scores of a fit by epoch."""
    return Curve(
        label,
        tuple(epoch.epoch for epoch in fit.epochs),
        tuple(epoch.train_loss for epoch in fit.epochs),
        tuple(epoch.validation_loss for epoch in fit.epochs),
        tuple(epoch.score for epoch in fit.epochs),
    )
