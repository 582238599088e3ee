"""The card of a study: what to use, by what evidence, what it cost to know, and lines to copy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from finetune_alf.comparison import ComparedDifference
from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import PLAIN, SchemeDifferences
from finetune_alf.report.html.card_interval import Interval, interval_ends
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import NO_WIDTH, apart, counted, duration, score
from finetune_alf.report.part import SavedClassifier
from finetune_alf.report.search import words
from finetune_alf.report.use import Advice, advice


@dataclass(frozen=True)
class Fact:
    """A number with its name."""

    name: str
    value: str


@dataclass(frozen=True)
class Card:
    """What the card says; texts are the report's Markdown, `snippet` is plain.

    `intervals` are the differences from plain fine-tuning, that of the headline first; `reads` says it in words.
    """

    headline: str
    why: str
    settled: bool
    intervals: tuple[Interval, ...]
    reads: str
    where: str
    facts: tuple[Fact, ...]
    how: str
    snippet: str


def card(
    results: StudyResults,
    lock: LockDocument,
    tested: Mapping[str, SchemeDifferences],
    classifier: SavedClassifier | None = None,
) -> Card:
    """Return the card of a study whose schedules were registered, and perhaps its classifier saved."""
    settings = results.search.settings if results.search else None
    found = advice(results.name, lock, tested, settings, classifier.scheme if classifier else None)
    return Card(
        headline=_headline(found),
        why=_sentence(found),
        settled=found.settled,
        intervals=_intervals(found),
        reads=_reads(found),
        where=_where(found, lock),
        facts=tuple(_facts(results, lock, found, classifier)),
        how=found.how,
        snippet=found.snippet,
    )


def _headline(found: Advice) -> str:
    if found.difference is None:
        return "What to use is open"
    return f"Use {found.named}" if found.settled else f"Use {found.named} for now"


def _sentence(found: Advice) -> str:
    why = found.why[0].upper() + found.why[1:]
    if found.difference is None:
        return why
    if found.settled:
        return f"{why}."
    open_still = f"{why} for a verdict. With {found.seeds_needed} this comparison can decide."
    return " ".join(filter(None, (open_still, found.simpler)))


def _intervals(found: Advice) -> tuple[Interval, ...]:
    ends = interval_ends(found.differences.values())
    return tuple(Interval(named, each, ends) for named, each in found.differences.items())


def _reads(found: Advice) -> str:
    """Return the first difference in words, for readers who do not know an interval."""
    if found.difference is None:
        return ""
    named, difference = next(iter(found.differences.items()))
    starts = named[0].upper() + named[1:] if found.settled else f"So far {named}"
    same = apart(difference.mean) == "the same"
    than = f"scores the same as {PLAIN}" if same else f"scores {apart(difference.mean)} than {PLAIN}"
    return f"{starts} {than}{_range(difference)}."


def _range(difference: ComparedDifference) -> str:
    if difference.high - difference.low < NO_WIDTH:
        return ", throughout"
    others = "other texts" if difference.n_seeds == 1 else "other texts and seeds"
    low, high = apart(difference.low), apart(difference.high)
    ends = low if low == high else f"anything from {low} to {high}"
    return f"; on {others} it may be {ends} (95 % interval)"


def _where(found: Advice, lock: LockDocument) -> str:
    """Return what the differences are, and over how many schemes their p are corrected."""
    if found.difference is None:
        return ""
    which = "Difference" if len(found.differences) == 1 else "Differences"
    corrected = (
        f" The p are corrected over the {found.n_corrected} schemes that were compared."
        if found.n_corrected > 1 and found.difference.p_holm is not None
        else ""
    )
    return f"{which} in {words(lock.metric)} from {PLAIN} {found.place}.{corrected}"


def _facts(
    results: StudyResults, lock: LockDocument, found: Advice, classifier: SavedClassifier | None
) -> Iterator[Fact]:
    if classifier:
        yield Fact(f"Test {words(lock.metric)} of the saved classifier", score(classifier.score.mean))
    if found.difference:
        yield Fact("Texts it was scored on", f"{found.difference.variance.components.n_texts:,}")
        yield Fact("Seeds for each scheme", str(found.difference.n_seeds))
    if results.search:
        yield Fact("Searched", counted(len(results.search.trials), "trial"))
        yield Fact("Time in fits", duration(results.search.fit_seconds))
    yield Fact("Confirmed by", counted(lock.n_confirmations, "fit"))
