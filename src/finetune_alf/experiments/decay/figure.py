"""The test error against the decay factor: a line for each rate, with the published one where there is one."""

from collections.abc import Iterator

from finetune_alf.experiments.decay.document import DecayDocument, PairResult
from finetune_alf.figures.line_points import LinePoint, LinesStyle
from finetune_alf.figures.lines import lines
from finetune_alf.figures.picture import Picture
from finetune_alf.report.numbers import rate

PUBLISHED = "published: BERT-base on IMDb"


def decay_plot(document: DecayDocument) -> Picture:
    """Draw each rate's error with its 95 % intervals by factor (left), and the published errors (right)."""
    factors = sorted({pair.factor for pair in document.pairs}, reverse=True)
    style = LinesStyle(
        x="decay factor from layer to layer",
        y="test error, 95 % interval",
        x_scale="names",
        x_ticks=tuple(f"{factor:g}" for factor in factors),
        intervals="bars",
    )
    text = "Test error by decay factor for each learning rate."
    return lines(list(_points(document)), style, f"{document.name}-decay", text)


def _points(document: DecayDocument) -> Iterator[LinePoint]:
    has_published = any(pair.published_error is not None for pair in document.pairs)
    own = f"{document.encoder.name} on {document.sample.name}"
    for each in dict.fromkeys(pair.rate for pair in document.pairs):
        pairs = sorted((pair for pair in document.pairs if pair.rate == each), key=lambda pair: -pair.factor)
        yield from (_point(pair, own) for pair in pairs)
        if has_published:
            for pair in pairs:
                yield LinePoint(rate(pair.rate), f"{pair.factor:g}", pair.published_error, panel=PUBLISHED)


def _point(pair: PairResult, panel: str) -> LinePoint:
    if pair.accuracy is None:
        return LinePoint(rate(pair.rate), f"{pair.factor:g}", None, panel=panel)
    mean, low, high = (1 - each for each in (pair.accuracy.mean, pair.accuracy.high, pair.accuracy.low))
    return LinePoint(rate(pair.rate), f"{pair.factor:g}", mean, low, high, panel)
