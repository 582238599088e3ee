"""Forgetting experiments with planted predictions and planted errors on the way."""

from fake_results import SHARES, fake_fit
from finetune_alf.documents import EncoderIdentity
from finetune_alf.experiments.forgetting.cells import cells
from finetune_alf.experiments.forgetting.compare import compare
from finetune_alf.experiments.forgetting.document import ForgettingDocument, ForgettingSample
from finetune_alf.experiments.forgetting.spec import ForgettingSpec
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.train.result import EpochMetrics

TRUTH = (0, 1) * 100
RECIPE = Recipe(rates=UniformRates(rate=1e-5, head=1e-3), batch=16, epochs=3, max_tokens=32)


def forgetting_spec(**changes):
    return ForgettingSpec(**({"encoder": "tiny", "sample": "films", "recipe": RECIPE, "every_steps": 50} | changes))


def curve(*errors):
    """The epochs of a fit with these validation errors; None for the epoch in which it diverged."""
    return tuple(
        EpochMetrics(
            epoch=epoch,
            train_loss=None if error is None else 0.5,
            validation_loss=None if error is None else 0.5,
            validation_accuracy=None if error is None else 1 - error,
            validation_score=None if error is None else 1 - error,
            seconds=1.0,
            ended_ms=1000 * (epoch + 1),
        )
        for epoch, error in enumerate(errors)
    )


def fitted(*errors):
    """A fit with these validation errors, the last one in its predictions: its first texts are wrong."""
    n_wrong = None if errors[-1] is None else round(errors[-1] * len(TRUTH))
    return fake_fit(TRUTH, n_wrong, epochs=curve(*errors))


def planted(spec, errors):
    """The cells with results: `errors` gives (rate, index of the seed) the errors of a fit."""
    return [(cell, fitted(*errors(cell.rate, cell.index))) for cell in cells(spec)]


def forgetting_document(name, spec, errors):
    return ForgettingDocument(
        name=name,
        encoder=EncoderIdentity(name="tiny", identity="random:00ff", n_layers=2),
        sample=ForgettingSample(
            name="films", digest="0" * 64, n_train=800, n_validation=len(TRUTH), majority_error=0.5
        ),
        recipe=spec.recipe,
        every_steps=spec.every_steps,
        n_steps=spec.every_steps * spec.recipe.epochs,
        n_seeds=spec.n_seeds,
        environments=SHARES,
        rates=compare(TRUTH, planted(spec, errors), spec.every_steps),
    )
