"""What to use now: the scheme that the evidence about one study recommends, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from finetune_alf.comparison import ComparedDifference, Family, judged
from finetune_alf.documents import Document
from finetune_alf.rates import LayerRates
from finetune_alf.register.lock import ALIASES, LockDocument
from finetune_alf.stats import SIGNIFICANCE_LEVEL, TOO_FEW_SEEDS

BASELINE, PRIMARY, UNIFORM = "baseline", "alf-1", "uniform"
"""Names of schemes: plain fine-tuning, the schedule of the claim, and the best single rate."""

LINEAR = ("tfidf", "probe")
"""The linear models, the cheapest one first."""

PLAIN = "plain fine-tuning"
"""What the baseline is called in a sentence."""

Evidence = Literal["test", "confirmation", "none"]
"""The split whose scores decide: the test split of the searched sample, or that by which `alf-1` was chosen."""


@dataclass(frozen=True)
class SchemeDifferences:
    """A scheme on the test texts of the searched sample: its differences from the baseline and the best single rate.

    `rates` are those that it was fitted by; None where they are not known.
    """

    from_baseline: ComparedDifference
    from_single_rate: ComparedDifference | None = None
    rates: LayerRates | None = None


class Recommendation(Document):
    """The scheme to use, and why: half a sentence without numbers.

    `difference` is that of `compared` from the baseline, with its verdict: of the scheme itself, or of what was not
    better where the baseline is recommended. `settled` is false while its seeds are too few for a verdict.
    `differences` has those of all schemes that were compared.
    """

    scheme: str
    why: str
    evidence: Evidence
    settled: bool
    compared: str | None = None
    difference: ComparedDifference | None = None
    differences: dict[str, ComparedDifference] = Field(default_factory=dict)


def recommend(lock: LockDocument, tested: Mapping[str, SchemeDifferences] | None = None) -> Recommendation:
    """Return the scheme that the evidence recommends for a study.

    `tested` has the schemes of the transfer to the searched sample, without the baseline; their p are corrected
    together. Where `alf-1` is not among them its confirmation counts, less what its choice is expected to add.

    Plain fine-tuning is recommended unless another scheme is better by its verdict, with two exceptions in favour of
    what is simpler: a linear model that scores no lower, and the best single rate where `alf-1` does not beat it.
    """
    tested = still_registered(lock, tested or {})
    found, single = _differences(lock, tested)
    if not found:
        return Recommendation(scheme=BASELINE, why="nothing is compared with it yet", evidence="none", settled=False)
    scheme, why = _choice(found, single)
    compared = scheme if scheme in found else PRIMARY if PRIMARY in found else max(found, key=lambda k: found[k].mean)
    return Recommendation(
        scheme=scheme,
        why=why,
        evidence="test" if compared in tested else "confirmation",
        settled=found[compared].verdict != TOO_FEW_SEEDS,
        compared=compared,
        difference=found[compared],
        differences=found,
    )


def still_registered(lock: LockDocument, tested: Mapping[str, SchemeDifferences]) -> dict[str, SchemeDifferences]:
    """Return the schemes without those for which a later registration chose other rates: they are not tested yet."""
    kept = {scheme: each for scheme, each in tested.items() if _has_rates_of(lock, scheme, each.rates)}
    if UNIFORM in tested and UNIFORM not in kept and PRIMARY in kept:
        kept[PRIMARY] = replace(kept[PRIMARY], from_single_rate=None)
    return kept


def _has_rates_of(lock: LockDocument, scheme: str, rates: LayerRates | None) -> bool:
    """Return whether these are the registered rates of a scheme, as far as is known."""
    if rates is None:
        return True
    if scheme in ALIASES:
        return scheme in lock.schedules and lock.schedules[scheme].schedule.rates == rates
    if scheme == UNIFORM and lock.single_rate:
        return set(rates.layers) == {lock.single_rate.rate}
    return True


def _differences(
    lock: LockDocument, tested: Mapping[str, SchemeDifferences]
) -> tuple[dict[str, ComparedDifference], ComparedDifference | None]:
    """Return the judged differences from the baseline, and that of `alf-1` from the best single rate."""
    family = Family("each scheme against the baseline on the test texts of the searched sample", set(tested))
    found = judged({scheme: each.from_baseline for scheme, each in tested.items()}, family)
    if PRIMARY in tested:
        return found, tested[PRIMARY].from_single_rate
    best, luck = lock.candidate(PRIMARY), lock.optimism or 0.0
    if lock.references is None or best is None or best.from_baseline is None:
        return found, None
    single = best.from_single_rate
    return found | {PRIMARY: _less(best.from_baseline, luck)}, _less(single, luck) if single else None


def _choice(found: Mapping[str, ComparedDifference], single: ComparedDifference | None) -> tuple[str, str]:
    """Return the scheme and the reason."""
    better = [scheme for scheme, each in found.items() if each.verdict == "better" and each.mean > 0]
    if better:
        scheme = max(better, key=lambda name: found[name].mean)
        return _schedule_or_single_rate(UNIFORM in better, single) if scheme == PRIMARY else (scheme, _BETTER)
    for scheme in LINEAR:
        if scheme in found and found[scheme].mean >= 0 and found[scheme].verdict != TOO_FEW_SEEDS:
            return scheme, f"it takes seconds, and scores no lower than {PLAIN}"
    primary = found.get(PRIMARY)
    if primary is not None and primary.verdict == "worse":
        return BASELINE, f"`{PRIMARY}` is worse"
    decides = primary or max(found.values(), key=lambda each: each.mean)
    if decides.verdict == TOO_FEW_SEEDS:
        return BASELINE, f"{decides.n_seeds} {'seeds are' if decides.n_seeds > 1 else 'seed is'} too few"
    neither = f", neither `{PRIMARY}` nor the best single rate" if {PRIMARY, UNIFORM} <= set(found) else ""
    return BASELINE, f"nothing is shown to be better{neither}"


def _schedule_or_single_rate(is_single_better: bool, single: ComparedDifference | None) -> tuple[str, str]:
    """Return the schedule, which is better than the baseline, or one rate for all layers where that does as well."""
    if single is None:
        return PRIMARY, _BETTER
    if single.mean > 0 and single.p < SIGNIFICANCE_LEVEL:
        return PRIMARY, f"{_BETTER}, and than the best single rate"
    if is_single_better or single.mean <= 0:
        return UNIFORM, f"`{PRIMARY}` is better than {PLAIN}, but not shown to be better than one rate for all layers"
    return PRIMARY, f"{_BETTER}; it is not shown to be better than the best single rate"


_BETTER = f"it is better than {PLAIN}"


def _less(found: ComparedDifference, luck: float) -> ComparedDifference:
    """Return a difference of the best of several without its luck; p and verdict allow for that already."""
    shifted = {"mean": found.mean - luck, "low": found.low - luck, "high": found.high - luck}
    return found.model_copy(update=shifted)
