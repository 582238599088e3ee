"""Direction: whether higher or lower rates of an address score higher, by rank correlation.

Importance has no sign. Spearman's rho has one, and a permutation test over the trials separates it from chance where
the sampler draws rates without regard to scores. TPE does not: its trials crowd where scores are high, which correlates
rates that have no effect with the score. So under TPE there is a rho and no test, but for a study of no more trials
than TPE draws at random first.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import permutation_test, rankdata

from finetune_alf.seeds import child_seed
from finetune_alf.stats import holm
from finetune_alf.study.documents import RankCorrelation
from finetune_alf.study.sampler import Observation
from finetune_alf.study.spec import AnySampler, ignores_scores

N_PERMUTATIONS = 9_999
"""With up to seven trials all permutations are counted; with more, as many as this are drawn."""

_BATCH = 1_000  # permutations at a time, so that memory stays small with many trials

Array = NDArray[np.float64]


def directions(
    observations: Sequence[Observation],
    names: Sequence[str],
    sampler: AnySampler,
    seed: int,
    n_trials: int | None = None,
) -> dict[str, RankCorrelation]:
    """Return the rank correlation of each param with the score, with corrected p values where the sampler allows it.

    `n_trials` is the number of all trials of the study; None where it is not known, and TPE's may not all be random.
    """
    scores = _standard_ranks([observed.score for observed in observations])
    if scores is None:
        return {name: RankCorrelation(rho=None, p_holm=None) for name in names}
    rates = {name: _standard_ranks([observed.params[name] for observed in observations]) for name in names}
    varied = {name: ranks for name, ranks in rates.items() if ranks is not None}
    corrected: Mapping[str, float] = {}
    if ignores_scores(sampler, n_trials):
        p_values = [
            _permutation_p(ranks, scores, child_seed(seed, "permutations", name)) for name, ranks in varied.items()
        ]
        corrected = dict(zip(varied, holm(p_values), strict=True))
    rhos = {name: float(ranks @ scores) for name, ranks in varied.items()}
    return {name: RankCorrelation(rho=rhos.get(name), p_holm=corrected.get(name)) for name in names}


def _standard_ranks(values: Sequence[float]) -> Array | None:
    """Return ranks, the mean rank for ties, with sum 0 and length 1; None if all are equal."""
    if len(set(values)) < 2:
        return None
    centred: Array = rankdata(values) - (len(values) + 1) / 2
    return centred / np.sqrt(centred @ centred)


def _permutation_p(rates: Array, scores: Array, seed: int) -> float:
    """Return the two-sided p of no association: rates are as likely to meet the scores in any order."""
    test = permutation_test(
        (scores,),
        lambda permuted, axis: permuted @ rates,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=N_PERMUTATIONS,
        batch=_BATCH,
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)
