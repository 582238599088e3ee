"""The interactive pictures of a study for the page, in order: documents made into the records that figures draw."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from finetune_alf.documents import Estimate
from finetune_alf.error_analysis.document import ErrorsDocument
from finetune_alf.figures.forest import ForestRow, forest
from finetune_alf.figures.signed_importance import Share, Sign, Way, signed_importance
from finetune_alf.figures.strip import schedule_strip, strip_cells
from finetune_alf.register.lock import LockDocument
from finetune_alf.register.recommend import PLAIN
from finetune_alf.report.load import StudyResults
from finetune_alf.report.mistakes import Mistakes, mistake_views
from finetune_alf.report.movement import movements_of, schedule_rates
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


def study_views(
    results: StudyResults, transfers: TransferFindings | None = None, errors: ErrorsDocument | None = None
) -> Sequence[View]:
    """Return the pictures of a study in the order of the page; a stage that has not run has none.

    Charts in which a trial can be chosen have the parameter `pick`, on the field `trial`.
    """
    return tuple(_views(results, transfers or TransferFindings(), errors))


def _views(results: StudyResults, transfers: TransferFindings, errors: ErrorsDocument | None) -> Iterator[View]:
    if results.lock:
        yield from _strip(results, results.lock)
    if transfers.differences:
        yield _forest(results, transfers)
    if results.search:
        yield from searched_views(results, results.search, transfers.scores)
    if results.importance:
        yield importance_view(results.importance)
    yield from mistake_views(results, transfers.mistakes, errors)


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
        "Learning rate at each address. Grey is frozen; hatched barely moves its weights.",
        schedule_strip(strip_cells(rates, does)),
    )


def importance_view(record: LayerImportance) -> View:
    """Return the importance of a study's addresses beside their directions."""
    shares = [
        Share(address, evaluator, each.mean, each.low, each.high, each.shuffled_high)
        for evaluator, by_address in record.evaluators.items()
        for address, each in by_address.items()
    ]
    ways = [Way(address, _sign(way), way.rho) for address, way in record.direction.items()]
    return View(
        "importance",
        "Which layers matter",
        "Share of each address's rate in the score, with the range of 95 % of the subsamples. The grey marks are what "
        "chance gives. On the right: whether higher (▲) or lower (▼) rates score higher, by rank correlation. "
        "A question mark: this could not be tested.",
        signed_importance(shares, ways, record.reason or ""),
    )


def _sign(way: RankCorrelation) -> Sign:
    if way.rho is None:
        return "constant"
    if way.p_holm is None:
        return "untested"
    if way.p_holm >= SIGNIFICANCE_LEVEL:
        return "none"
    return "higher" if way.rho > 0 else "lower"


def _forest(results: StudyResults, transfers: TransferFindings) -> View:
    metric = words(results.search.settings.metric) if results.search else "score"
    searched = f" The schedules were searched on {results.search.settings.sample.name}." if results.search else ""
    return View(
        "forest",
        "Does it hold elsewhere?",
        f"Difference from {PLAIN} on the test texts of each sample, with 95 % intervals, on the same seeds and texts. "
        "An interval that crosses the line at zero shows no "
        f"difference.{searched}",
        forest(transfers.differences, PLAIN, f"test {metric}"),
    )
