"""Labels experiments with planted predictions: how many of the test texts each fit gets wrong."""

from fake_results import SHARES, fake_fit
from finetune_alf.documents import EncoderIdentity
from finetune_alf.experiments.labels.cells import cells
from finetune_alf.experiments.labels.compare import compare
from finetune_alf.experiments.labels.document import LabelsDocument, LabelsSample, SampleTable
from finetune_alf.experiments.labels.draws import Draw, fit_seeds
from finetune_alf.experiments.labels.spec import LabelsSpec
from finetune_alf.experiments.scheme_spec import schemes_named
from finetune_alf.experiments.scheme_table import SchemeInputs, scheme_recipes
from finetune_alf.metrics import ACCURACY
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import Recipe

TRUTH = (0, 1) * 100
RECIPE = Recipe(rates=UniformRates(rate=1e-5, head=1e-3), batch=16, epochs=3, max_tokens=32)
N_POOL = {"films": 900, "travel": 200}


def labels_spec(**changes):
    given = {
        "encoder": "tiny",
        "samples": ("films", "travel"),
        "recipe": RECIPE,
        "schemes": schemes_named("baseline", "probe", "decayed"),
        "n_train": (32, 64, 128),
    }
    return LabelsSpec(**(given | changes))


def recipes_of(spec):
    return scheme_recipes(spec.schemes, SchemeInputs(spec.recipe, 2))


def planted(spec, n_wrong):
    """The cells with results: `n_wrong` gives (sample, scheme, n_train, index of the draw) a number of wrong texts."""
    draws = [
        Draw(sample, n_train, index, seed, drawn=None)  # comparisons read no texts
        for index, seed in enumerate(fit_seeds(spec))
        for sample in spec.samples
        for n_train in spec.n_train
    ]
    return [
        (cell, fake_fit(TRUTH, n_wrong(cell.draw.sample, cell.scheme, cell.draw.n_train, cell.draw.index)))
        for cell in cells(draws, recipes_of(spec))
    ]


def labels_document(name, spec, n_wrong):
    truths, metrics = dict.fromkeys(spec.samples, TRUTH), dict.fromkeys(spec.samples, ACCURACY)
    schemes = compare(spec, truths, metrics, planted(spec, n_wrong))

    def described(sample):
        return LabelsSample(
            name=sample, digest="0" * 64, n_pool=N_POOL[sample], n_test=len(TRUTH), majority_baseline=0.5
        )

    return LabelsDocument(
        name=name,
        encoder=EncoderIdentity(name="tiny", identity="random:00ff", n_layers=2),
        metric=spec.metric,
        recipe=spec.recipe,
        recipes=recipes_of(spec),
        baseline=spec.baseline,
        n_train=spec.n_train,
        n_validation=spec.n_validation,
        n_seeds=spec.n_seeds,
        environments=SHARES,
        samples={sample: SampleTable(sample=described(sample), schemes=schemes[sample]) for sample in spec.samples},
    )
