"""Comparisons, the same for registration and all experiments: scores, paired differences, verdicts within a family."""

from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import Generic, TypeVar

from finetune_alf.documents import Document, Estimate
from finetune_alf.metric_names import Label
from finetune_alf.metrics import Metric, label_arrays
from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.stats import (
    TOO_FEW_SEEDS,
    Components,
    Scores,
    Verdict,
    estimate,
    holm,
    scores_of,
    sign_flip_p,
    verdict,
)

K = TypeVar("K", bound=Hashable)

Predictions = Mapping[int, Sequence[Label]]
"""Fit seed -> the class, classes or score predicted for each text; diverged fits have no predictions and no entry."""


class SeedsScore(Estimate):
    """A mean score over seeds with its interval, and the seeds' standard deviation where there are several."""

    sd_seeds: float | None


class ComponentsRecord(Document):
    """Where a difference's variance comes from, as in `stats.Components`."""

    seed: float | None
    text: float
    rest: float
    n_seeds: int
    n_texts: int

    @property
    def components(self) -> Components:
        """The components, for what power is computed from."""
        return Components(**self.model_dump())


class ComparedDifference(Estimate):
    """A paired difference from the reference over the seeds that both have, and its p.

    With one seed, interval and p are about other texts alone, and p is exact for a mean over texts. `p_holm`, which is
    corrected over a family, and `verdict` are None where the comparison is exploratory, or its family is judged
    elsewhere.
    """

    p: float
    sd_seeds: float | None
    variance: ComponentsRecord
    p_holm: float | None = None
    verdict: Verdict | None = None

    @property
    def n_seeds(self) -> int:
        """The number of seeds that both have."""
        return self.variance.n_seeds


@dataclass(frozen=True)
class Family(Generic[K]):
    """The comparisons that are declared beforehand as those that a claim rests on, and what they are, in words.

    They are corrected together and have verdicts; all other comparisons are exploratory.
    """

    described: str
    primary: AbstractSet[K]


def seeds_scores(metric: Metric, truth: Sequence[Label], predictions: Predictions) -> Scores:
    """Return the scores of fits by a metric, in the order of their seeds."""
    seeds = sorted(predictions)
    labels, *rows = label_arrays([truth, *(predictions[seed] for seed in seeds)])
    return scores_of(metric, labels, dict(zip(seeds, rows, strict=True)))


def mean_score(scores: Scores) -> SeedsScore:
    """Return the mean score over seeds with its interval."""
    found = estimate(scores)
    return SeedsScore(mean=found.mean, low=found.low, high=found.high, sd_seeds=found.sd_seeds)


def difference(scores: Scores, reference: Scores) -> ComparedDifference | None:
    """Return the difference from the reference on the same texts, over the seeds that both have; None without any."""
    paired = scores - reference
    if not paired.seeds:
        return None
    found = estimate(paired)
    is_exact = len(paired.seeds) == 1 and scores.is_proportion and reference.is_proportion
    return ComparedDifference(
        mean=found.mean,
        low=found.low,
        high=found.high,
        p=sign_flip_p(paired.by_text[0]) if is_exact else found.p,
        sd_seeds=found.sd_seeds,
        variance=ComponentsRecord(**asdict(found.components)),
    )


def differences_from(reference: K, scores: Mapping[K, Scores]) -> dict[K, ComparedDifference]:
    """Return the difference of each from the reference; what shares no seed with it is left out, and the reference."""
    if reference not in scores:
        return {}
    found = {key: difference(own, scores[reference]) for key, own in scores.items() if key != reference}
    return {key: each for key, each in found.items() if each is not None}


def judged(differences: Mapping[K, ComparedDifference], family: Family[K]) -> dict[K, ComparedDifference]:
    """Return the differences, those of the family with a corrected p (Holm 1979) and a verdict.

    A member with too few seeds is not tested, and does not count in the correction.
    """
    members = [key for key in differences if key in family.primary]
    tested = [key for key in members if differences[key].n_seeds >= MIN_SEEDS]
    p_holm = dict(zip(tested, holm([differences[key].p for key in tested]), strict=True))

    def judge(key: K) -> ComparedDifference:
        found = differences[key]
        if key in p_holm:
            return found.model_copy(update={"p_holm": p_holm[key], "verdict": verdict(found.mean, p_holm[key])})
        return found.model_copy(update={"verdict": TOO_FEW_SEEDS}) if key in members else found

    return {key: judge(key) for key in differences}
