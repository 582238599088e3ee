"""Testbeds that never ran, for what reads their documents: one of classes, one of scores."""

from fake_comparisons import compared
from fake_results import SHARES
from finetune_alf.comparison import SeedsScore
from finetune_alf.experiments.schemes.document import (
    CombinationResult,
    MeanLoss,
    PublishedScores,
    SampleTable,
    SchemesDocument,
    SchemesSample,
    SizedEncoder,
)
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import SGD, HoulsbyAdapter, Recipe, SlantedTriangularCurve
from finetune_alf.recipe.curve import ConstantCurve
from finetune_alf.stats import NO_EVIDENCE

RECIPE = Recipe(
    rates=UniformRates(rate=0.01, head=0.02), optimizer=SGD(), batch=8, epochs=2, max_tokens=16, allow_forgetting=True
)


def row(scheme, mean=0.8, *, adapter="none", curve="constant", gap=None, n_diverged=0, published=None):
    """A combination's row; one without a mean diverged under every seed, `gap` is its difference from `fixed`."""
    verdict = None if gap is None else NO_EVIDENCE if abs(gap) < 0.05 else "better" if gap > 0 else "worse"
    p = 0.3 if verdict == NO_EVIDENCE else 0.0002
    judgement = {} if "+" in scheme else {"p_holm": 2 * p, "verdict": verdict}
    return CombinationResult(
        scheme=scheme,
        adapter=adapter,
        curve=curve,
        n_seeds=0 if mean is None else 5,
        n_diverged=n_diverged,
        loss=None if mean is None else MeanLoss(mean=0.5, sd_seeds=0.02 if gap is None else None),
        score=None if mean is None else SeedsScore(mean=mean, low=mean - 0.1, high=mean + 0.1, sd_seeds=0.01),
        seconds=61.0,
        n_trainable_parameters=1_000 if adapter == "none" else 250,
        difference=None if gap is None else compared(gap, p, **judgement),
        published=published,
    )


def table(name, majority_baseline, *rows):
    """The table of a sample."""
    sample = SchemesSample(
        name=name, digest="0" * 64, n_train=1600, n_texts=400, majority_baseline=majority_baseline, epochs=2
    )
    return SampleTable(sample=sample, combinations=rows)


def fake_testbed(name, metric, tables, **changes):
    """A testbed."""
    values = {
        "name": name,
        "encoder": SizedEncoder(name="tiny", identity="random:00ff", n_layers=2, n_parameters=1_000),
        "metric": metric,
        "score_on": "validation",
        "stretch": False,
        "rescale": False,
        "recipe": RECIPE,
        "adapter_rate": None,
        "adapters": (),
        "curves": (ConstantCurve(),),
        "n_seeds": 5,
        "n_at_once": 1,
        "environments": SHARES,
        "left_out": {},
        "samples": {each.sample.name: each for each in tables},
    }
    return SchemesDocument(**(values | changes))


THESIS = fake_testbed(
    "thesis",
    "accuracy",
    [table("imdb-small", 0.5, row("fixed"), row("bert-alf-1", gap=0.01), row("feature_extraction", 0.6, gap=-0.2))],
    score_on="test",
    stretch=True,
    rescale=True,
)
SURVEY = PublishedScores(loss=0.235, accuracy=0.907)
CLASSES = fake_testbed(
    "bed",
    "accuracy",
    [
        table(
            "sst2-small",
            0.52,
            row("fixed", published=SURVEY),
            row("fixed", 0.9, adapter="houlsby", gap=0.1, published=PublishedScores(loss=0.251, accuracy=0.9)),
            row("differential+gradual", 0.6, curve="slanted_triangular", gap=-0.2),
            row("fixed", 0.79, curve="slanted_triangular", gap=-0.01, n_diverged=1),
        ),
        table("travel", 0.75, row("fixed"), row("head", 0.7, gap=-0.1)),
        table("films", 0.5, row("fixed", None, n_diverged=1)),
    ],
    adapter_rate=0.2,
    adapters=(HoulsbyAdapter(width=4),),
    curves=(ConstantCurve(), SlantedTriangularCurve()),
    left_out={"head/houlsby/constant": "head freezes every layer, and an adapter learns at the rate of its layer"},
)
SCORES = fake_testbed(
    "similarity",
    "spearman",
    [table("pairs", 0.0, row("gradual_from_head", published=SURVEY), row("head", 0.05))],
    recipe=RECIPE.model_copy(update={"keep": "best"}),
    n_seeds=3,
    n_at_once=2,
)
