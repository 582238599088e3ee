"""The declared family of a study's transfers: its first schedule against the baseline, on the samples it is for."""

from collections.abc import Sequence

from finetune_alf.comparison import ComparedDifference, Family, judged
from finetune_alf.experiments.transfer.document import TransferDocument

PRIMARY = "alf-1"
"""The schedule that the study's claim rests on."""

SampleScheme = tuple[str, str]
"""A sample and a scheme."""


def transfer_family(documents: Sequence[TransferDocument]) -> Family[SampleScheme]:
    """Return the family of a study: `alf-1` on every sample but the one that it was searched on."""
    targets = [each.sample.name for each in documents if each.sample.name != each.searched_on]
    return Family(
        f"`{PRIMARY}` against the baseline on each sample that the study was not searched on",
        {(target, PRIMARY) for target in targets},
    )


def judged_transfers(documents: Sequence[TransferDocument]) -> dict[SampleScheme, ComparedDifference]:
    """Return all differences of a study by sample and scheme, those of its family with verdicts."""
    differences = {
        (document.sample.name, scheme): result.difference
        for document in documents
        for scheme, result in document.schemes.items()
        if result.difference
    }
    return judged(differences, transfer_family(documents))
