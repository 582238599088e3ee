"""What schedules are compared with: the baseline and the best single rate, confirmed as the candidates are."""

from collections.abc import Mapping, Sequence

from finetune_alf.comparison import ComparedDifference, Family, difference, judged
from finetune_alf.documents import Document, Estimate
from finetune_alf.rates import LayerRates
from finetune_alf.register.candidates import Candidate
from finetune_alf.register.confirm import BASELINE, SINGLE_RATE, Confirmation, trial_name
from finetune_alf.register.spec import Requirement

FAMILY = "each confirmed trial against the baseline"
"""The comparisons that have verdicts: all candidates, because the registered ones are chosen by these same scores."""


class Reference(Estimate):
    """Rates that schedules are compared with: their scores on the confirmation split, mean and 95 % interval."""

    rates: LayerRates
    scores: tuple[float, ...]


class References(Document):
    """The baseline and the best single rate, over the seeds and texts of the candidates; None for one that diverged."""

    baseline: Reference | None
    single_rate: Reference | None

    @property
    def there(self) -> tuple[Reference, ...]:
        """Those that did not diverge."""
        return tuple(each for each in (self.baseline, self.single_rate) if each)


def references(confirmed: Mapping[str, Confirmation]) -> References:
    """Return the references among what was confirmed."""

    def reference(name: str) -> Reference | None:
        if (again := confirmed.get(name)) is None:
            return None
        return Reference(rates=again.rates, scores=again.scores, **dict(again.estimate))

    return References(baseline=reference(BASELINE), single_rate=reference(SINGLE_RATE))


def with_differences(candidates: Sequence[Candidate], confirmed: Mapping[str, Confirmation]) -> list[Candidate]:
    """Return the candidates with their differences from the references, those from the baseline with verdicts."""
    from_baseline = _differences(candidates, confirmed, BASELINE)
    from_single_rate = _differences(candidates, confirmed, SINGLE_RATE)
    verdicts = judged(from_baseline, Family(FAMILY, set(from_baseline)))
    return [
        each.model_copy(
            update={"from_baseline": verdicts.get(each.trial), "from_single_rate": from_single_rate.get(each.trial)}
        )
        for each in candidates
    ]


def meets(found: ComparedDifference | None, require: Requirement, margin: float) -> bool:
    """Return whether a difference from the baseline is what a schedule must show to be registered.

    "not_worse" is an interval that lies above -margin, "better" is the verdict. Without a difference neither is shown.
    """
    if require == "none":
        return True
    if found is None:
        return False
    return found.verdict == "better" if require == "better" else found.low >= -margin


def _differences(
    candidates: Sequence[Candidate], confirmed: Mapping[str, Confirmation], reference: str
) -> dict[int, ComparedDifference]:
    if reference not in confirmed:
        return {}
    theirs = confirmed[reference].by_text
    found = {each.trial: difference(confirmed[trial_name(each.trial)].by_text, theirs) for each in candidates}
    return {trial: each for trial, each in found.items() if each is not None}
