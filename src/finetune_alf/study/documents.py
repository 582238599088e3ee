"""The documents of a study: results/study/<name>/study.json and results/importance/<name>.json."""

from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import Document, EncoderIdentity, Estimate, SampleIdentity
from finetune_alf.recipe import Recipe
from finetune_alf.study.space import Space
from finetune_alf.study.spec import Pruner, Sampler


class StudyDocument(Document):
    """The params of a study, and the environments in which its trials ran: study.json. `digest` is of its identity.

    `n_fused` is the number of trials suggested at a time, `seconds` the time from the first trial to the last,
    interruptions included.
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
    seconds: float


class RankCorrelation(Document):
    """Spearman's rank correlation of a rate with the score, with its 95 % interval; None if the rate is constant."""

    rho: float | None
    low: float | None
    high: float | None


class LayerImportance(Document):
    """The importance of each address, by evaluator. `blocks` maps a block's lowest address to all its addresses.

    An importance lies in [0, 1], and those of all addresses add up to 1; intervals are over resamples of the trials.
    """

    study: str
    n_trials: int
    n_resamples: int
    evaluators: dict[str, dict[str, Estimate]]
    direction: dict[str, RankCorrelation]
    blocks: dict[str, tuple[str, ...]]
