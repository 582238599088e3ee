"""The confirmed candidates, and the registered schedules with their rates."""

from finetune_alf.register.candidates import Candidate
from finetune_alf.register.lock import LockDocument
from finetune_alf.report.compared import differences_section, reference_rows, required
from finetune_alf.report.load import StudyResults
from finetune_alf.report.movement import movement_section, movements_of, schedule_rates
from finetune_alf.report.numbers import NONE, estimate, listed, rate, score
from finetune_alf.report.search import words
from finetune_alf.report.section import Section
from finetune_alf.study.space import DecayedSpace, LogSpace


def registered_section(results: StudyResults, lock: LockDocument) -> Section:
    """Return the candidates' confirmation and the rates of each schedule."""
    section = Section()
    section.append(differences_section(lock))
    section.table(
        (
            "trial",
            f"search {words(lock.metric)}",
            "confirmed",
            "by seed",
            f"distance from `alf-1`, in {_unit(results)}",
            "registered as",
        ),
        [*(_candidate_row(lock, candidate) for candidate in lock.candidates), *reference_rows(lock)],
    )
    section.text(
        "Confirmed: fitted again over fresh seeds, scored on the confirmation split, which no trial has seen.",
        _apart(lock),
    )
    section.text(
        *(
            f"`{alias}` is not registered: it must be {required(lock.require, lock.margin)}."
            for alias in lock.chosen
            if alias not in lock.schedules
        )
    )
    if lock.schedules:
        section.table(
            ("schedule", "model version", "digest"),
            [
                (f"`{alias}`", f"`{lock.model}` version {one.version}", f"`{one.digest[:12]}`")
                for alias, one in lock.schedules.items()
            ],
        )
    section.append(_rates(results, lock))
    return section


def _unit(results: StudyResults) -> str:
    """Return what distances are counted in: steps of a grid, or decades where rates are from a range."""
    space = results.search.settings.space if results.search else None
    own = space.rate if isinstance(space, DecayedSpace) else space
    return "decades" if isinstance(own, LogSpace) else "grid steps"


def _candidate_row(lock: LockDocument, candidate: Candidate) -> list[str]:
    aliases = [f"`{alias}`" for alias, one in lock.schedules.items() if one.trial == candidate.trial]
    distance = NONE if candidate.distance is None else f"{candidate.distance:.1f}"
    by_seed = ", ".join(score(value) for value in candidate.scores)
    names = ", ".join(aliases) or NONE
    return [str(candidate.trial), score(candidate.search_score), estimate(candidate), by_seed, distance, names]


def _apart(lock: LockDocument) -> str | None:
    if len(lock.candidates) < 2:
        return None
    first, *others = sorted(lock.candidates, key=lambda candidate: -candidate.mean)
    close = sorted(other.trial for other in others if other.high >= first.low)
    if not close:
        return f"Trial {first.trial}'s interval lies above those of all others."
    overlapped = (
        f"those of trials {listed([str(trial) for trial in close])}" if len(close) > 1 else f"that of trial {close[0]}"
    )
    tied = [str(other.trial) for other in others if other.mean == first.mean]
    return f"Trial {first.trial}'s interval overlaps with {overlapped}: the order is not certain." + (
        f" Of equal means the earlier trial counts: {listed(tied)} scored the same." if tied else ""
    )


def _rates(results: StudyResults, lock: LockDocument) -> Section:
    section, rates = Section(), schedule_rates(results, lock)
    if not rates:
        return section
    addresses = max(rates.values(), key=len)
    section.text("Learning rate at each address, 0 = frozen:")
    section.table(
        ("schedule", *(f"`{address}`" for address in addresses)),
        [(f"`{name}`", *(rate(own[a]) if a in own else NONE for a in addresses)) for name, own in rates.items()],
    )
    section.append(movement_section(results, movements_of(results, lock, rates)))
    return section
