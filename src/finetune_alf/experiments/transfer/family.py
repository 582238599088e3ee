"""The declared family of a study's transfers: its first schedule on the samples that it is for."""

from collections.abc import Iterator, Sequence

from finetune_alf.comparison import ComparedDifference, Family, judged
from finetune_alf.experiments.transfer.compare import BASELINE, PRIMARY, SINGLE_RATE
from finetune_alf.experiments.transfer.document import TransferDocument

Contrast = tuple[str, str, str]
"""A sample, a scheme, and the scheme that it is compared with."""


def transfer_family(documents: Sequence[TransferDocument]) -> Family[Contrast]:
    """Return the family of a study: `alf-1` on every sample but the one that it was searched on.

    It is compared with the baseline, and with the best single rate where that is among the schemes.
    """
    targets = [each.sample.name for each in documents if each.sample.name != each.searched_on]
    has_single_rate = any(reference == SINGLE_RATE for (_, _, reference), _ in _differences(documents))
    rivals = f"the baseline and `{SINGLE_RATE}`, the best single rate," if has_single_rate else "the baseline"
    return Family(
        f"`{PRIMARY}` against {rivals} on each sample that the study was not searched on",
        {(target, PRIMARY, reference) for target in targets for reference in (BASELINE, SINGLE_RATE)},
    )


def judged_transfers(documents: Sequence[TransferDocument]) -> dict[Contrast, ComparedDifference]:
    """Return all differences of a study, those of its family with verdicts."""
    return judged(dict(_differences(documents)), transfer_family(documents))


def _differences(documents: Sequence[TransferDocument]) -> Iterator[tuple[Contrast, ComparedDifference]]:
    for document in documents:
        for scheme, result in document.schemes.items():
            for reference, found in ((BASELINE, result.difference), (SINGLE_RATE, result.from_single_rate)):
                if found is not None:
                    yield (document.sample.name, scheme, reference), found
