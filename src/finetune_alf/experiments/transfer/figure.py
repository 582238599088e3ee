"""Each scheme's test score with its interval, a panel for each sample."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from finetune_alf.documents import Estimate
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.figures.intervals import Interval, IntervalsStyle, Mark, intervals
from finetune_alf.figures.picture import Picture
from finetune_alf.metric_names import PROBLEM_TYPES
from finetune_alf.register.recommend import BASELINE


@dataclass(frozen=True)
class Panel:
    """The scores on one sample by scheme; None where a scheme was not run, or there is no baseline to draw."""

    sample: str
    scores: tuple[Estimate | None, ...]
    majority_baseline: float | None


@dataclass(frozen=True)
class TransferInfo:
    """What the figure shows: schemes from the top down, and a panel for each sample."""

    schemes: tuple[str, ...]
    panels: tuple[Panel, ...]


def transfer_info(documents: Sequence[TransferDocument]) -> TransferInfo:
    """Sort a study's documents into panels; the majority baseline is not drawn for scores."""
    schemes = tuple(dict.fromkeys(scheme for document in documents for scheme in document.schemes))

    def panel(document: TransferDocument) -> Panel:
        results = [document.schemes.get(scheme) for scheme in schemes]
        scores = tuple(result.score if result else None for result in results)
        is_regression = "regression" in PROBLEM_TYPES[document.metric]
        return Panel(document.sample.name, scores, None if is_regression else document.sample.majority_baseline)

    return TransferInfo(schemes, tuple(map(panel, documents)))


def transfer_plot(documents: Sequence[TransferDocument], metric: str, name: str = "transfer") -> Picture:
    """Draw test scores by scheme, a panel for each sample: mean and 95 % interval; `name` is that of the view.

    A dashed line is the baseline's mean, a dotted one the majority baseline where it is not far below the scores.
    """
    info = transfer_info(documents)
    rows = [
        Interval(scheme, scheme, score.mean, score.low, score.high, panel.sample)
        for panel in info.panels
        for scheme, score in zip(info.schemes, panel.scores, strict=True)
        if score is not None
    ]
    marks = [mark for panel in info.panels for mark in _marks(info.schemes, panel)]
    dotted = ["dotted: one prediction for all"] if any(mark.is_dotted for mark in marks) else []
    style = IntervalsStyle(
        x=f"test {metric}, 95 % interval", labels=info.schemes, note=("dashed: the baseline", *dotted), shares_x=False
    )
    return intervals(rows, style, name, f"Test {metric} of each scheme with its 95 % interval, by sample.", marks)


def _marks(schemes: Sequence[str], panel: Panel) -> Iterator[Mark]:
    scores = {scheme: score for scheme, score in zip(schemes, panel.scores, strict=True) if score is not None}
    if BASELINE in scores:
        yield Mark("mean of the baseline", scores[BASELINE].mean, panel.sample)
    lowest = min((score.low for score in scores.values()), default=0.0)
    highest = max((score.high for score in scores.values()), default=1.0)
    if panel.majority_baseline is not None and panel.majority_baseline > lowest - (highest - lowest):
        yield Mark("one prediction for all", panel.majority_baseline, panel.sample, is_dotted=True)
