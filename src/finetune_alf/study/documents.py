"""The documents of a study: results/study/<name>/study.json and results/importance/<name>.json."""

from collections.abc import Mapping

from pydantic import Field

from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document, EncoderIdentity, SampleIdentity
from finetune_alf.rates import Address, LayerRates
from finetune_alf.recipe import Recipe
from finetune_alf.study.decayed_space import DECAY, TOP_RATE
from finetune_alf.study.space import Space
from finetune_alf.study.spec import Pruner, Sampler


class StudyDocument(Document):
    """The params of a study, and the environments in which its trials ran: study.json. `digest` is of its identity.

    `n_fused` is the largest number of trials that one process took as one fit, `seconds` the time from the first trial
    to the last, interruptions included. `mean_sizes` are the means of the weights' absolute values before a fit, by
    address; None in documents of older versions.
    """

    name: str
    digest: str
    encoder: EncoderIdentity
    sample: SampleIdentity
    metric: str
    space: Space
    sampler: Sampler
    pruner: Pruner | None
    seed: int
    enqueue: tuple[str, ...]
    recipe: Recipe
    n_trials: int
    n_workers: int
    n_fused: int
    environments: tuple[EnvironmentShare, ...]
    mean_sizes: dict[Address, float] | None = None
    seconds: float

    @property
    def baseline_rates(self) -> LayerRates:
        """The rates of the recipe itself, at the depth of the encoder."""
        return self.recipe.rates.at(self.encoder.n_layers)


class RankCorrelation(Document):
    """Spearman's rank correlation of a rate with the score; None if the rate is constant.

    `p_holm` is the p value of no association, corrected over the addresses; None where the sampler allows no test.
    """

    rho: float | None
    p_holm: float | None


class ImportanceShare(Document):
    """The share of an address in the importance of all, by one evaluator.

    `mean` is over the subsamples, 95 % of which lie from `low` to `high`. `n_first` is the number of subsamples in
    which no other address has as large a share. `shuffled_mean` and `shuffled_high` are the mean and the 95th
    percentile with the scores of each subsample shuffled.
    """

    mean: float
    low: float
    high: float
    n_first: int
    shuffled_mean: float
    shuffled_high: float


def first_address(shares: Mapping[str, ImportanceShare]) -> str:
    """Return the address that is first in most subsamples; of equal ones, that with the largest share."""
    return max(shares, key=lambda address: (shares[address].n_first, shares[address].mean))


class LayerImportance(Document):
    """The importance of each address, by evaluator. `blocks` maps a block's lowest address to all its addresses.

    In a space of layer-wise decay it is that of the params `rate` and `decay`, in place of addresses.
    A share lies in [0, 1], and those of all addresses add up to 1. `n_per_resample` is the number of trials in a
    subsample; `n_tested` that of the trials that the direction is over. `reason` is why nothing could be estimated.
    """

    study: str
    n_trials: int
    n_resamples: int = 0
    n_per_resample: int = 0
    n_trees: int = 0
    max_depth: int = 0
    evaluators: dict[str, dict[str, ImportanceShare]] = Field(default_factory=dict)
    n_tested: int = 0
    direction: dict[str, RankCorrelation] = Field(default_factory=dict)
    blocks: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    reason: str | None = None

    @property
    def is_of_decay(self) -> bool:
        """Whether shares are those of layer-wise decay: of the top layer's rate and the factor."""
        return any({*shares} == {TOP_RATE, DECAY} for shares in self.evaluators.values())

    @property
    def is_of_one(self) -> bool:
        """Whether a single rate was searched, whose share is all."""
        return any(len(shares) == 1 for shares in self.evaluators.values())
