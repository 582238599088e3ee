"""Texts on which schemes disagree, and how far each two schemes agree."""

from collections.abc import Mapping, Sequence
from itertools import combinations, combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from finetune_alf.documents import Document
from finetune_alf.error_analysis.texts import FoundText, LabelledTexts
from finetune_alf.stats.kappa import cohens_kappas

SchemePredictions = Mapping[str, Mapping[int, Sequence[float]]]
"""Scheme -> fit seed -> the class predicted for each text; a fit that diverged has no entry."""


class Answer(Document):
    """The class that most fits of a scheme predict, and how many do; no class where several are equally frequent."""

    predicted: str | None
    n_seeds: int


class Disagreement(FoundText):
    """A text for which schemes have different answers; `disagreement` is the share of pairs of schemes that do."""

    disagreement: float
    answers: dict[str, Answer]


class SchemesAgreement(Document):
    """Cohen's kappa, the mean over pairs of single fits, one of each scheme, or two seeds of the same one.

    It is None for one seed of the same scheme, and where it is undefined.
    """

    schemes: tuple[str, str]
    kappa: float | None


class SchemesCompared(Document):
    """The schemes of a transfer on one split: how far they agree, and the texts on which they do not."""

    n_seeds: dict[str, int]
    agreements: tuple[SchemesAgreement, ...]
    texts: tuple[Disagreement, ...]


def compare_schemes(texts: LabelledTexts, predictions: SchemePredictions) -> SchemesCompared:
    """Compare the predictions of schemes for the same texts; the texts that divide them most come first.

    Among equally divided texts those come first on which the seeds of each scheme agree most.
    """
    fits = {
        scheme: np.array(list(by_seed.values()), dtype=np.int64) for scheme, by_seed in predictions.items() if by_seed
    }
    return SchemesCompared(
        n_seeds={scheme: len(own) for scheme, own in fits.items()},
        agreements=_agreements(fits, len(texts.label_names)),
        texts=_disagreements(texts, fits),
    )


def _agreements(fits: Mapping[str, NDArray[np.int64]], n_classes: int) -> tuple[SchemesAgreement, ...]:
    if not fits:
        return ()
    kappas = cohens_kappas(np.vstack(list(fits.values())), n_classes)
    np.fill_diagonal(kappas, np.nan)  # a fit with itself
    ends = np.cumsum([0, *map(len, fits.values())])
    own = {scheme: slice(*ends[index : index + 2]) for index, scheme in enumerate(fits)}

    def mean(one: str, other: str) -> float | None:
        values = kappas[own[one], own[other]]
        defined = values[~np.isnan(values)]
        return float(defined.mean()) if defined.size else None

    pairs = combinations_with_replacement(fits, 2)
    return tuple(SchemesAgreement(schemes=pair, kappa=mean(*pair)) for pair in pairs)


def _disagreements(texts: LabelledTexts, fits: Mapping[str, NDArray[np.int64]]) -> tuple[Disagreement, ...]:
    if len(fits) < 2:
        return ()
    votes = [np.eye(len(texts.label_names), dtype=np.int64)[own].sum(0) for own in fits.values()]  # each (n, classes)
    n_votes = np.array([own.max(1) for own in votes])  # (schemes, n)
    tied = np.array([(own == own.max(1, keepdims=True)).sum(1) > 1 for own in votes])
    answers = np.where(tied, -1, [own.argmax(1) for own in votes])
    pairs = list(combinations(range(len(fits)), 2))
    share = sum((answers[a] != answers[b]) & ~tied[a] & ~tied[b] for a, b in pairs) / len(pairs)
    unanimity = (n_votes / np.array([[len(own)] for own in fits.values()])).mean(0)
    found = np.flatnonzero(share)
    order = found[np.lexsort((-unanimity[found], -share[found]))]

    def answer(scheme: int, row: int) -> Answer:
        name = None if tied[scheme, row] else texts.label_names[answers[scheme, row]]
        return Answer(predicted=name, n_seeds=int(n_votes[scheme, row]))

    return tuple(
        Disagreement(
            **texts.found(row),
            disagreement=float(share[row]),
            answers={scheme: answer(index, row) for index, scheme in enumerate(fits)},
        )
        for row in order.tolist()
    )
