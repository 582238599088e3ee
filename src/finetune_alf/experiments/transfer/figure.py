"""Each scheme's test score with its interval, a panel for each sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.documents import Estimate
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.figures.style import GREY, color, marker, styled_figure
from finetune_alf.metrics import PROBLEM_TYPES
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


def transfer_plot(documents: Sequence[TransferDocument], metric: str) -> bytes:
    """Draw test scores by scheme, a panel for each sample: mean and 95 % interval.

    A dashed line is the baseline's mean, a dotted one the majority baseline.
    """
    info = transfer_info(documents)
    width, height = max(6.5, 1.6 + 2.3 * len(info.panels)), 1.5 + 0.38 * len(info.schemes)
    with styled_figure(width, height, n_axes=max(len(info.panels), 1), share_y=True) as drawing:
        for axes, panel in zip(drawing.axes, info.panels, strict=False):
            _draw(axes, info.schemes, panel)
            axes.set_title(panel.sample)
            axes.locator_params(axis="x", nbins=5)
        drawing.axes[0].set_yticks(range(len(info.schemes)), info.schemes)
        drawing.axes[0].invert_yaxis()
        has_majority = any(panel.majority_baseline is not None for panel in info.panels)
        dotted = "; dotted: the majority baseline" if has_majority else ""
        drawing.figure.supxlabel(f"test {metric}, 95 % interval (dashed: the baseline's mean{dotted})")
        return drawing.png()


def _draw(axes: Any, schemes: Sequence[str], panel: Panel) -> None:
    for row, (scheme, score) in enumerate(zip(schemes, panel.scores, strict=True)):
        if score is None:
            continue
        axes.plot([score.low, score.high], [row, row], color=color(row), linewidth=2)
        axes.plot([score.mean], [row], color=color(row), marker=marker(row), markersize=7)
        if scheme == BASELINE:
            axes.axvline(score.mean, color=GREY, linestyle="--", linewidth=1)
    if panel.majority_baseline is not None:
        axes.axvline(panel.majority_baseline, color=GREY, linestyle=":", linewidth=1.5)
    axes.grid(axis="y", visible=False)
