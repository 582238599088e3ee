"""The declared family of a study's transfers: its first schedule on the samples that it is for."""

from collections.abc import Iterator, Sequence

from finetune_alf.comparison import ComparedDifference, Family, judged
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.register.recommend import BASELINE, PRIMARY, UNIFORM, SchemeDifferences

Contrast = tuple[str, str, str]
"""A sample, a scheme, and the scheme that it is compared with."""


def transfer_family(documents: Sequence[TransferDocument]) -> Family[Contrast]:
    """Return the family of a study: `alf-1` on every sample but the one that it was searched on.

    It is compared with the baseline, and with the best single rate where that is among the schemes.
    """
    targets = [each.sample.name for each in documents if each.sample.name != each.searched_on]
    has_single_rate = any(reference == UNIFORM for (_, _, reference), _ in _differences(documents))
    rivals = f"the baseline and `{UNIFORM}`, the best single rate," if has_single_rate else "the baseline"
    return Family(
        f"`{PRIMARY}` against {rivals} on each sample that the study was not searched on",
        {(target, PRIMARY, reference) for target in targets for reference in (BASELINE, UNIFORM)},
    )


def judged_transfers(documents: Sequence[TransferDocument]) -> dict[Contrast, ComparedDifference]:
    """Return all differences of a study, those of its family with verdicts."""
    return judged(dict(_differences(documents)), transfer_family(documents))


def scheme_differences(document: TransferDocument) -> dict[str, SchemeDifferences]:
    """Return the differences that a recommendation takes, of all schemes of the transfer to the searched sample."""
    return {
        scheme: SchemeDifferences(result.difference, result.from_single_rate, result.rates)
        for scheme, result in document.schemes.items()
        if result.difference is not None
    }


def _differences(documents: Sequence[TransferDocument]) -> Iterator[tuple[Contrast, ComparedDifference]]:
    for document in documents:
        for scheme, result in document.schemes.items():
            for reference, found in ((BASELINE, result.difference), (UNIFORM, result.from_single_rate)):
                if found is not None:
                    yield (document.sample.name, scheme, reference), found
