"""Budgets whose fits are scored by a response that is known: rates by layer help by `gain`."""

import numpy as np

from fake_results import ENVIRONMENT
from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import EncoderIdentity
from finetune_alf.experiments.budget.analysis import (
    compared,
    contrast_results,
    diverged,
    optimism,
    pilot,
    tuning_curves,
)
from finetune_alf.experiments.budget.arms import arms
from finetune_alf.experiments.budget.document import BudgetDocument, BudgetSample
from finetune_alf.experiments.budget.line import ReplicateLine, packed
from finetune_alf.experiments.budget.procedure import Procedure, Scored
from finetune_alf.experiments.budget.spec import BudgetSpec
from finetune_alf.experiments.budget.spread import spreads
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.seeds import child_seed
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.study.spec import RandomSampler

N_LAYERS, N_TEST = 2, 100
SPEC = BudgetSpec(
    encoder="tiny",
    samples=("films", "travel"),
    recipe=Recipe(rates=UniformRates(rate=1e-5, head=1e-3), epochs=2, batch=8, max_tokens=16),
    space=ChoicesSpace(rates=(0.0, 1e-5, 1e-4)),
    sampler=RandomSampler(),
    n_fits=8,
    n_train=16,
    n_validation=20,
    n_confirmation=20,
    n_replicates=3,
)


class Response:
    """Scores fits: .7, `gain` more where the top layer alone is high, and noise by rates and seed; keeps requests."""

    def __init__(self, gain=0.0, noise=0.02):
        self.gain, self.noise, self.requests = gain, noise, []

    def __call__(self, requests):
        self.requests += requests
        return [self.scored(request) for request in requests]

    def scored(self, request):
        rates = () if request.rates is None else tuple(request.rates.values())
        rng = np.random.default_rng([request.seed, child_seed(0, *map(repr, rates))])
        is_good = bool(rates) and rates[2] == 1e-4 and rates[0] < 1e-4
        truth = 0.7 + self.gain * is_good
        validation, share = truth + self.noise * rng.normal(), truth + self.noise * rng.normal()
        right = np.arange(N_TEST) < round(N_TEST * share)
        return Scored(round(float(validation), 3), float(right.mean()), packed(right))


def line(sample, index, response, spec=SPEC):
    measured = Procedure(spec, N_LAYERS, child_seed(1, sample, index), response).run()
    return ReplicateLine(
        identity=f"{sample}-{index}",
        sample=sample,
        index=index,
        drawn="d" * 64,
        n_test=N_TEST,
        **vars(measured),
        n_fits=70,
        seconds=700.0,
        environments=(EnvironmentShare(environment=ENVIRONMENT, n_fits=70),),
    )


def lines(gain=0.0, n=3, noise=0.02):
    return [line(sample, index, Response(gain, noise)) for index in range(n) for sample in SPEC.samples]


def document(own, spec=SPEC):
    """The document of replicates, as the stage writes it."""
    names = [each.sample for each in own]
    samples = [
        BudgetSample(
            name=name,
            digest="d" * 64,
            pool={"negative": 48, "positive": 48},
            n_test=N_TEST,
            majority_baseline=0.5,
            n_replicates=names.count(name),
        )
        for name in spec.samples
    ]
    is_complete = len(own) == spec.n_replicates * len(spec.samples)
    shared = {name: getattr(spec, name) for name in BudgetDocument.model_fields if hasattr(spec, name)}
    given = {
        "name": "small",
        "encoder": EncoderIdentity(name="tiny", identity="random:1", n_layers=N_LAYERS),
        "samples": tuple(samples),
        "n_fits": {arm.name: arm.n_fits for arm in arms(spec)},
        "n_fits_done": sum(each.n_fits for each in own),
        "seconds": sum(each.seconds for each in own),
        "environments": own[0].environments,
        "compared": compared(own),
        "diverged": diverged(own),
        "contrasts": contrast_results(own, spec.margin, is_complete=is_complete),
        "curves": tuning_curves(own),
        "optimism": optimism(own),
        "spreads": spreads(own),
        "pilot": pilot(own, spec.n_pilot, spec.samples, spec.margin),
    }
    return BudgetDocument(**{**shared, **given})
