"""The pictures of what schemes get wrong: confusion matrices, and how far the schemes agree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.figures.confusion import Agreement, agreement_matrix, confusion_matrix
from finetune_alf.register.recommend import BASELINE, PRIMARY
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import counted
from finetune_alf.report.view import View


@dataclass(frozen=True)
class Mistakes:
    """What the schemes of a transfer predict for the test texts of a sample.

    `confusions` are numbers of texts by true and predicted class, summed over seeds, by scheme. `n_divided` is the
    number of texts for which schemes have different answers, `names` are the classes by index, where they are known.
    """

    confusions: Mapping[str, tuple[tuple[int, ...], ...]]
    agreements: tuple[Agreement, ...]
    n_divided: int
    n_texts: int
    n_seeds: int
    names: tuple[str, ...] = ()


_FIRST = {PRIMARY: 0, BASELINE: 1}
"""The schemes whose confusion matrix comes first."""


def mistake_views(results: StudyResults, mistakes: Mistakes) -> Iterator[View]:
    """Yield the confusion matrix of the schemes, and how far they agree."""
    if mistakes.confusions:
        schemes = sorted(mistakes.confusions, key=lambda scheme: _FIRST.get(scheme, len(_FIRST)))
        matrices = {scheme: mistakes.confusions[scheme] for scheme in schemes}
        yield View(
            "confusion",
            "Right and wrong by class",
            "Test texts by true and predicted class, with their share of the true class, summed over "
            f"{counted(mistakes.n_seeds, 'seed')}.",
            confusion_matrix(matrices, mistakes.names or _class_names(results, len(matrices[schemes[0]]))),
        )
    if len({scheme for each in mistakes.agreements for scheme in each.schemes}) > 1:
        yield View(
            "agreement",
            "Where schemes disagree",
            "Cohen's kappa of two fits, one of each scheme: 1 is the same answers throughout, 0 what chance gives. On "
            "the diagonal are two seeds of one scheme. A dash: one seed, or all texts have one class in both. "
            f"For {mistakes.n_divided:,} of {mistakes.n_texts:,} test texts most seeds of one scheme have "
            "another answer than most of another one.",
            agreement_matrix(mistakes.agreements, mistakes.n_divided, mistakes.n_texts),
        )


def _class_names(results: StudyResults, n_classes: int) -> Sequence[str]:
    counts = (results.search.settings.sample.counts if results.search else None) or {}
    names = list(counts.get("test", ()))
    return names if len(names) == n_classes else [f"class {index}" for index in range(n_classes)]
