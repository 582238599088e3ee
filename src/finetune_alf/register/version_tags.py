"""The tags of a registered version: how its schedule compares with the baseline and with the best single rate."""

from collections.abc import Iterator

from finetune_alf.documents import Estimate
from finetune_alf.register.candidates import Candidate
from finetune_alf.register.compare import References
from finetune_alf.register.single_rate import SingleRate


def version_tags(
    candidate: Candidate | None, references: References | None, single_rate: SingleRate | None
) -> dict[str, str]:
    """Return the tags of a candidate's version: scores on the confirmation split, differences, and the verdict.

    Without references, as in a lock file of an earlier version, there are none.
    """
    if candidate is None or references is None:
        return {}
    return dict(_tags(candidate, references, single_rate))


def _tags(candidate: Candidate, references: References, single_rate: SingleRate | None) -> Iterator[tuple[str, str]]:
    yield "alf.confirmed", _number(candidate.mean)
    if references.baseline:
        yield from _estimate("alf.baseline", references.baseline)
    if candidate.from_baseline:
        yield "alf.verdict", str(candidate.from_baseline.verdict)
        yield from _estimate("alf.difference", candidate.from_baseline)
    if single_rate:
        yield "alf.single_rate", f"{single_rate.rate:g}"
    if candidate.from_single_rate:
        yield from _estimate("alf.single_rate.difference", candidate.from_single_rate)


def _estimate(key: str, value: Estimate) -> Iterator[tuple[str, str]]:
    yield key, _number(value.mean)
    yield f"{key}.low", _number(value.low)
    yield f"{key}.high", _number(value.high)


def _number(value: float) -> str:
    return f"{value:.6g}"
