"""Registered schedules against plain fine-tuning and the best single rate, on the confirmation split."""

from collections.abc import Iterator

from finetune_alf.documents import Estimate
from finetune_alf.register.candidates import Candidate
from finetune_alf.register.compare import FAMILY
from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import PLAIN, PRIMARY
from finetune_alf.register.spec import Requirement
from finetune_alf.report.evidence import few_seeds, how_judged, p_cell, verdict_cell
from finetune_alf.report.movement import frozen_in_short
from finetune_alf.report.numbers import NONE, counted, estimate, listed, rate, score, signed, signed_estimate
from finetune_alf.report.section import Section


def required(require: Requirement, margin: float) -> str:
    """Return what a schedule must be to be registered, in words."""
    if require == "better":
        return f"better than {PLAIN} by its verdict (`register.require`)"
    return f"no worse than {PLAIN} by more than {score(margin)}, with its whole interval (`register.require`)"


def differences_in_short(name: str, lock: LockDocument) -> Iterator[str]:
    """Yield a line for each schedule of a study: its differences first, then its score."""
    for alias in lock.chosen or lock.schedules:
        candidate = lock.candidate(alias)
        compared = _compared(lock, candidate) if candidate else None
        if alias in lock.schedules:
            yield f"`{alias}` of `{name}`: {'; '.join(filter(None, (compared, *_score(lock, alias))))}."
        else:
            must = required(lock.require, lock.margin)
            yield f"`{alias}` of `{name}` is not registered, since it must be {must}: {compared or 'no comparison'}."


def optimism_in_short(name: str, lock: LockDocument, sample: str, *, is_tested: bool) -> Iterator[str]:
    """Yield how far the luck of the best candidate carries its difference, and where a number without it is.

    `is_tested` says that a transfer has the score of `alf-1` on the test texts of `sample`, the one of the study. A
    transfer leaves out what is not registered.
    """
    best = lock.candidate(PRIMARY)
    if best is None or best.from_baseline is None:
        return
    optimism = lock.optimism or 0.0
    where = (
        " Go by its test score below."
        if is_tested
        else f" Go by a test score, once there is one: `finetune-alf transfer {name} {sample}` fits `{PRIMARY}` on "
        "that sample, where `transfer.schemes` and `transfer.samples` name them."
    )
    yield (
        f"`{name}`: `{PRIMARY}` is the best of {counted(len(lock.candidates), 'candidate')}, and for that about "
        f"{score(optimism)} too good in its confirmation. Without that luck its difference from {PLAIN} is "
        f"{signed(best.from_baseline.mean - optimism)}.{where if PRIMARY in lock.schedules else ''}"
    )


def differences_section(lock: LockDocument) -> Section:
    """Return the table of differences, how to read it, and the search for the best single rate."""
    section = Section()
    if lock.references is None:
        return section
    section.table(
        ("trial", f"from {PLAIN}", "p, corrected", "verdict", "from the best single rate"),
        [_row(candidate) for candidate in lock.candidates],
        f"**Differences from {PLAIN} and from the best single rate** (the same seeds and texts)",
    )
    found = [each.from_baseline for each in lock.candidates if each.from_baseline]
    section.text(
        how_judged(FAMILY, [each.verdict for each in found]),
        few_seeds(len(lock.candidates[0].scores)),
        _optimism_in_words(lock),
    )
    section.text(_single_rates(lock))
    return section


def reference_rows(lock: LockDocument) -> list[list[str]]:
    """Return the rows of baseline and best single rate for the table of candidates."""
    there, single = lock.references, lock.single_rate
    if there is None or single is None:
        return []
    searched = next(each.mean for each in single.grid if each.rate == single.rate)
    same = ", the baseline's own" if lock.single_rate_is_baseline else ""
    named = (
        ("baseline", None, there.baseline),
        (f"single rate {rate(single.rate)}{same}", searched, there.single_rate),
    )
    return [
        [name, score(search), estimate(own), ", ".join(map(score, own.scores)), NONE, NONE]
        if own
        else [name, score(search), "diverged", NONE, NONE, NONE]
        for name, search, own in named
    ]


def _compared(lock: LockDocument, candidate: Candidate) -> str | None:
    parts = []
    if found := candidate.from_baseline:
        parts.append(f"**{_signed(found)}** against {PLAIN} ({found.verdict})")
    if lock.single_rate and lock.single_rate_is_baseline:
        parts.append(f"which has the best single rate, {rate(lock.single_rate.rate)}")
    elif (found := candidate.from_single_rate) and lock.single_rate:
        parts.append(f"{_signed(found)} against the best single rate, {rate(lock.single_rate.rate)}")
    return ", ".join(parts) or None


def _score(lock: LockDocument, alias: str) -> Iterator[str]:
    schedule = lock.schedules[alias].schedule
    if kept := schedule.confirmed:
        mean = Estimate(mean=kept.mean, low=kept.low, high=kept.high)
        yield f"{kept.metric.replace('_', ' ')} {estimate(mean)} on {kept.n_texts:,} unseen texts"
    yield frozen_in_short(schedule)


def _row(candidate: Candidate) -> list[str]:
    found, single = candidate.from_baseline, candidate.from_single_rate
    own = [_signed(found), p_cell(found.p_holm), verdict_cell(found.verdict)] if found else [NONE] * 3
    return [str(candidate.trial), *own, _signed(single) if single else NONE]


def _optimism_in_words(lock: LockDocument) -> str | None:
    if not lock.optimism:
        return None
    judged = any(each.from_baseline and each.from_baseline.p_holm is not None for each in lock.candidates)
    allowed = (
        "The corrected p allow for that, the intervals do not." if judged else "The intervals do not allow for that."
    )
    return (
        f"The best of {counted(len(lock.candidates), 'candidate')} was chosen by these same scores, and is expected to "
        f"be {score(lock.optimism)} too good, by the luck of its seeds and texts. {allowed}"
    )


def _single_rates(lock: LockDocument) -> str | None:
    single = lock.single_rate
    if single is None:
        return None
    means = ", ".join(f"{rate(each.rate)} {score(each.mean)}" for each in single.grid)
    best = next(each.mean for each in single.grid if each.rate == single.rate)
    tied = [rate(each.rate) for each in single.grid if each.mean == best and each.rate != single.rate]
    return " ".join(
        filter(
            None,
            (
                f"The best single rate, for embeddings and all layers, is {rate(single.rate)}: it has the best mean on "
                f"the validation split, over {counted(len(single.grid[0].scores), 'seed')} for each rate of the grid, "
                f"{counted(single.n_fits, 'fit')} in all. Means: {means}.",
                f"Of equal means the lowest rate counts: {listed(tied)} scored the same." if tied else None,
                "It is the baseline's own rate, so that both differences of a trial are one and the same comparison."
                if lock.single_rate_is_baseline
                else None,
            ),
        )
    )


def _signed(found: Estimate) -> str:
    return signed_estimate(found.mean, found.low, found.high)
