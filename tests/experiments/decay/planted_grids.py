"""Decay grids with planted predictions: how many of the test texts each fit gets wrong."""

from fake_results import SHARES, fake_fit
from finetune_alf.documents import EncoderIdentity
from finetune_alf.experiments.decay.cells import cells
from finetune_alf.experiments.decay.compare import compare
from finetune_alf.experiments.decay.document import DecayDocument, DecaySample
from finetune_alf.experiments.decay.spec import DecaySpec
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import Recipe

TRUTH = (0, 1) * 100
RECIPE = Recipe(rates=UniformRates(rate=1e-5, head=1e-3), batch=16, epochs=3, max_tokens=32)


def grid_spec(**changes):
    return DecaySpec(**({"encoder": "tiny", "sample": "imdb", "recipe": RECIPE} | changes))


def planted(spec, n_wrong):
    """The cells with results: `n_wrong` gives (rate, factor, index of the seed) a number of wrong texts."""
    return [(cell, fake_fit(TRUTH, n_wrong(cell.rate, cell.factor, cell.index))) for cell in cells(spec)]


def grid_document(name, spec, n_wrong):
    return DecayDocument(
        name=name,
        encoder=EncoderIdentity(name="tiny", identity="random:00ff", n_layers=2),
        sample=DecaySample(name=spec.sample, digest="0" * 64, n_train=800, n_test=len(TRUTH), majority_error=0.5),
        recipe=spec.recipe,
        n_seeds=spec.n_seeds,
        environments=SHARES,
        pairs=compare(spec.sample, TRUTH, planted(spec, n_wrong)),
    )
