"""What the schemes of a study get wrong on each sample, and where they disagree, as tables of the page."""

from collections.abc import Iterator, Mapping, Sequence

from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.experiments.transfer.mistakes import mistakes_of
from finetune_alf.figures.confusion import MOST_CONFUSED, Counts, most_confused
from finetune_alf.paths import Paths
from finetune_alf.report.mistakes import Mistakes
from finetune_alf.report.numbers import NONE, counted
from finetune_alf.report.section import Section, plain


def errors_section(paths: Paths, documents: Sequence[TransferDocument]) -> Section:
    """Return the errors of each scheme by sample; empty where labels are no classes, or no predictions are kept.

    Raises InputError for a broken file of predictions.
    """
    section = Section()
    every = {document.sample.name: mistakes_of(paths, document) for document in documents}
    found = {sample: mistakes for sample, mistakes in every.items() if mistakes and mistakes.confusions}
    if not found:
        return section
    section.heading(3, "What each scheme gets wrong")
    section.text(
        "From the predictions that the transfer keeps for the test texts, summed over seeds. The texts themselves are "
        "not in the results: `finetune-alf errors` lists those that the saved classifier gets wrong."
    )
    section.table(
        ("sample", "scheme", "wrong", "most frequent confusions"),
        [row for sample, mistakes in found.items() for row in _rows(sample, mistakes)],
        "**Wrong texts and confusions by scheme**",
    )
    section.items(_disagreements(found))
    return section


def _rows(sample: str, mistakes: Mistakes) -> Iterator[list[str]]:
    for scheme, counts in mistakes.confusions.items():
        n_texts = sum(map(sum, counts))
        n_wrong = n_texts - sum(row[index] for index, row in enumerate(counts))
        yield [
            f"`{sample}`",
            f"`{scheme}`",
            f"{n_wrong:,} of {n_texts:,} ({n_wrong / n_texts:.0%})",
            _confusions(counts, mistakes.names or [f"class {index}" for index in range(len(counts))]),
        ]


def _confusions(counts: Counts, names: Sequence[str]) -> str:
    worst = most_confused(counts, names)[:MOST_CONFUSED]
    return "; ".join(f"{n:,} of {plain(true)} taken for {plain(predicted)}" for n, true, predicted in worst) or NONE


def _disagreements(found: Mapping[str, Mistakes]) -> Iterator[str]:
    """Yield for each sample how many texts divide its schemes, and which two agree least, where there are several."""
    for sample, mistakes in found.items():
        if len(mistakes.confusions) > 1:
            yield (
                f"`{sample}`: for {mistakes.n_divided:,} of {counted(mistakes.n_texts, 'test text')} most seeds of one "
                f"scheme have another answer than most of another one.{_least_agreement(mistakes)}"
            )


def _least_agreement(mistakes: Mistakes) -> str:
    pairs = [
        (each.kappa, *each.schemes)
        for each in mistakes.agreements
        if each.kappa is not None and each.schemes[0] != each.schemes[1]
    ]
    if not pairs:
        return ""
    kappa, one, other = min(pairs)
    return f" `{one}` and `{other}` agree least, with a Cohen's kappa of {kappa:.2f}."
