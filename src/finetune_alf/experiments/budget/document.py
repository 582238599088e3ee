"""results/budget/<name>.json: what follows from the finished replicates of a budget."""

from pydantic import Field

from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document, EncoderIdentity
from finetune_alf.metric_names import MetricName
from finetune_alf.recipe import Recipe
from finetune_alf.stats.replicates import Decision
from finetune_alf.study.space import TiedSpace
from finetune_alf.study.spec import Sampler


class BudgetSample(Document):
    """A prepared sample: the rows that draws are from, by class, its test texts, and its finished replicates."""

    name: str
    digest: str
    pool: dict[str, int]
    n_test: int
    majority_baseline: float
    n_replicates: int


class MeanOverReplicates(Document):
    """A mean over replicates with its 95 % t interval, samples fixed; `sd` is that of a replicate within its sample.

    With one replicate a sample there is a mean alone.
    """

    mean: float
    low: float | None
    high: float | None
    sd: float | None
    n_replicates: int


class Compared(Document):
    """The test score of an arm or a control: over all samples, and by sample, with the scores of its replicates."""

    pooled: MeanOverReplicates
    by_sample: dict[str, MeanOverReplicates]
    replicates: dict[str, tuple[float, ...]]


class ContrastResult(Document):
    """The difference of the search over layers from another arm or control, tested as `stats.replicates` says.

    `smallest` is the smallest difference that these replicates show with a probability of 80 %. `decision` is None
    where nothing is shown, and as long as replicates are missing.
    """

    pooled: MeanOverReplicates
    by_sample: dict[str, MeanOverReplicates]
    p: float
    p_holm: float
    p_equivalence: float
    p_equivalence_holm: float
    smallest: float | None
    smallest_by_sample: dict[str, float | None]
    decision: Decision | None


class CurvePoint(Document):
    """The mean test score of what would have been selected after so many fits, with its 95 % t interval."""

    n_fits: int
    mean: float
    low: float | None
    high: float | None


class Optimism(Document):
    """Mean scores of an arm's winners: on validation in the search, on confirmation, and on test."""

    search: float
    confirmation: float
    test: float


class Spread(Document):
    """Where the variance of a score or a difference comes from; None where it is not known.

    `draw` is that of a baseline between draws of texts, `search` what the search adds to it; of a difference both are
    in `search`. `seed` is the variance of a single fit between seeds, `text` that of the mean over the test texts.
    """

    draw: float | None
    search: float | None
    seed: float | None
    text: float | None


class Pilot(Document):
    """After the first replicates: the spread of each contrast, and how many replicates a sample the margin needs."""

    n_replicates: int
    sd: dict[str, float]
    needed: dict[str, int | None]


class BudgetDocument(Document):
    """A budget; `n_replicates` is how many of each sample it is to have, `seconds` what the fits took in all.

    `diverged` has the tests that diverged, by arm or control: their score is 0. Earlier documents do not count them.
    """

    name: str
    encoder: EncoderIdentity
    metric: MetricName
    recipe: Recipe
    space: TiedSpace
    sampler: Sampler
    decays: tuple[float, ...]
    n_fits: dict[str, int]
    n_top: int
    n_confirm_seeds: int
    n_test_seeds: int
    n_permuted: int
    n_random: int
    n_train: int
    n_validation: int
    n_confirmation: int
    n_search_test: int | None
    n_replicates: int
    margin: float
    samples: tuple[BudgetSample, ...]
    n_fits_done: int
    seconds: float
    environments: tuple[EnvironmentShare, ...]
    compared: dict[str, Compared]
    diverged: dict[str, int] = Field(default_factory=dict)
    contrasts: dict[str, ContrastResult]
    curves: dict[str, tuple[CurvePoint, ...]]
    optimism: dict[str, Optimism]
    spreads: dict[str, Spread]
    pilot: Pilot | None

    @property
    def is_complete(self) -> bool:
        """Whether every replicate is finished."""
        return all(sample.n_replicates >= self.n_replicates for sample in self.samples)
