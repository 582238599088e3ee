"""The interactive pictures of a study for the page, in order: documents made into the records that figures draw."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from finetune_alf.documents import Estimate
from finetune_alf.figures.forest import ForestRow, forest
from finetune_alf.figures.signed_importance import Direction, Share, Sign, signed_importance
from finetune_alf.figures.strip import schedule_strip, strip_cells
from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import PLAIN
from finetune_alf.report.load import StudyResults
from finetune_alf.report.mistakes import Mistakes, mistake_views
from finetune_alf.report.movement import movements_of, schedule_rates
from finetune_alf.report.numbers import listed
from finetune_alf.report.search import words
from finetune_alf.report.searched import searched_views
from finetune_alf.report.view import View
from finetune_alf.stats import SIGNIFICANCE_LEVEL
from finetune_alf.study.documents import LayerImportance, RankCorrelation


@dataclass(frozen=True)
class TransferFindings:
    """What the transfers of a study found on test texts.

    `differences` are those from plain fine-tuning by sample and scheme, `scores` those on the sample of the study by
    scheme, `mistakes` what is wrong there; None where labels are no classes.
    """

    differences: tuple[ForestRow, ...] = ()
    scores: Mapping[str, Estimate] = field(default_factory=dict)
    mistakes: Mistakes | None = None


def study_views(results: StudyResults, transfers: TransferFindings | None = None) -> Sequence[View]:
    """Return the pictures of a study in the order of the page; a stage that has not run has none.

    Charts in which a trial can be chosen have the parameter `pick`, on the field `trial`.
    """
    return tuple(_views(results, transfers or TransferFindings()))


def _views(results: StudyResults, transfers: TransferFindings) -> Iterator[View]:
    if results.lock:
        yield from _strip(results, results.lock)
    if transfers.differences:
        yield _forest(results, transfers)
    if results.search:
        yield from searched_views(results, results.search, transfers.scores)
    if results.importance:
        yield importance_view(results.importance)
    if transfers.mistakes:
        yield from mistake_views(results, transfers.mistakes)


def _strip(results: StudyResults, lock: LockDocument) -> Iterator[View]:
    rates = schedule_rates(results, lock)
    if not rates:
        return
    does = {
        name: {str(address): one.word for address, one in own.items()}
        for name, own in movements_of(results, lock, rates).items()
    }
    yield View(
        "strip",
        "The schedules",
        f"Learning rate at each address, from the input to the head. The baseline is {PLAIN}; {_of_search(lock)}. Grey "
        "is frozen, at a rate of 0; hatched barely moves its weights.",
        schedule_strip(strip_cells(rates, does)),
    )


def _of_search(lock: LockDocument) -> str:
    """Say what the schedules are."""
    names = [f"`{alias}`" for alias in lock.schedules]
    if not names:
        return "no schedule is registered"
    return f"{listed(names)} {'are schedules' if len(names) > 1 else 'is a schedule'} that the search found"


def importance_view(record: LayerImportance) -> View:
    """Return the importance of a study's addresses beside their directions."""
    shares = [
        Share(address, evaluator, each.mean, each.low, each.high, each.shuffled_high)
        for evaluator, by_address in record.evaluators.items()
        for address, each in by_address.items()
    ]
    directions = [
        Direction(address, _sign(direction), direction.rho) for address, direction in record.direction.items()
    ]
    whose, values = ("each of the two", "values") if record.is_of_decay else ("each address's rate", "rates")
    return View(
        "importance",
        "Which layers matter",
        f"Share of {whose} in the score, with the range of 95 % of the draws. The grey marks are what chance gives. On "
        f"the right: whether higher (▲) or lower (▼) {values} score higher, by rank correlation. "
        "A question mark: this could not be tested.",
        signed_importance(shares, directions, record.reason or ""),
    )


def _sign(direction: RankCorrelation) -> Sign:
    if direction.rho is None:
        return "constant"
    if direction.p_holm is None:
        return "untested"
    if direction.p_holm >= SIGNIFICANCE_LEVEL:
        return "none"
    return "higher" if direction.rho > 0 else "lower"


def _forest(results: StudyResults, transfers: TransferFindings) -> View:
    metric = words(results.search.settings.metric) if results.search else "score"
    sample = results.search.settings.sample.name if results.search else None
    searched = f" The schedules were searched on {sample}." if sample else ""
    is_elsewhere = {row.sample for row in transfers.differences} != {sample}
    return View(
        "forest",
        "Does it hold elsewhere?" if is_elsewhere else "Does it hold on the test texts?",
        f"Difference from {PLAIN} on the test texts of each sample, with 95 % intervals, on the same seeds and texts. "
        "An interval that crosses the line at zero shows no "
        f"difference.{searched}",
        forest(transfers.differences, PLAIN, f"test {metric}"),
    )
