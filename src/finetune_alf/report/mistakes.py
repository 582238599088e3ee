"""The pictures of what schemes get wrong: confusion matrices, and how far the schemes agree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.error_analysis.document import ErrorsDocument
from finetune_alf.figures.confusion import Agreement, agreement_matrix, confusion_matrix
from finetune_alf.register.recommend import BASELINE, PRIMARY
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import counted
from finetune_alf.report.view import View


@dataclass(frozen=True)
class Mistakes:
    """What the schemes of a transfer predict for the test texts of the study's sample.

    `confusions` are numbers of texts by true and predicted class, summed over seeds, by scheme. `n_divided` is the
    number of texts for which schemes have different answers.
    """

    confusions: Mapping[str, tuple[tuple[int, ...], ...]]
    agreements: tuple[Agreement, ...]
    n_divided: int
    n_texts: int
    n_seeds: int


_FIRST = {PRIMARY: 0, BASELINE: 1}
"""The schemes whose confusion matrix comes first."""


def mistake_views(results: StudyResults, mistakes: Mistakes | None, errors: ErrorsDocument | None) -> Iterator[View]:
    """Yield the confusion matrix of the classifier in use, else of the schemes, and the agreement of the schemes."""
    if errors:
        confusion = errors.confusion
        yield View(
            "confusion",
            "What it gets wrong",
            f"Texts of the {errors.split} split by true and predicted class, with their share of the true class, as "
            f"the classifier by {errors.scheme} predicts them.",
            confusion_matrix({errors.scheme: confusion.counts}, [each.name for each in confusion.classes]),
        )
    elif mistakes and mistakes.confusions:
        schemes = sorted(mistakes.confusions, key=lambda scheme: _FIRST.get(scheme, len(_FIRST)))
        matrices = {scheme: mistakes.confusions[scheme] for scheme in schemes}
        yield View(
            "confusion",
            "What it gets wrong",
            "Test texts by true and predicted class, with their share of the true class, summed over "
            f"{counted(mistakes.n_seeds, 'seed')}.",
            confusion_matrix(matrices, _class_names(results, len(matrices[schemes[0]]))),
        )
    if mistakes and len({scheme for each in mistakes.agreements for scheme in each.schemes}) > 1:
        yield View(
            "agreement",
            "Where schemes disagree",
            "Cohen's kappa of two fits, one of each scheme: 1 is the same answers throughout, 0 what chance gives. On "
            f"the diagonal are two seeds of one scheme. For {mistakes.n_divided:,} of {mistakes.n_texts:,} test texts "
            "most seeds of one scheme have another answer than most of another one.",
            agreement_matrix(mistakes.agreements, mistakes.n_divided, mistakes.n_texts),
        )


def _class_names(results: StudyResults, n_classes: int) -> Sequence[str]:
    counts = (results.search.settings.sample.counts if results.search else None) or {}
    names = list(counts.get("test", ()))
    return names if len(names) == n_classes else [f"class {index}" for index in range(n_classes)]
