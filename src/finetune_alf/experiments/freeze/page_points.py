"""The operating points of a sweep: all layers, none, and as few as keep most of the score; the paper's beside ours."""

from collections.abc import Iterator
from statistics import fmean

from finetune_alf.documents import Estimate
from finetune_alf.experiments.freeze.document import FreezeDocument, OperatingPoint, OperatingPoints
from finetune_alf.experiments.freeze.published import HEAD_ONLY_KEEPS, KEEP, POINTS, is_apart
from finetune_alf.report.numbers import NONE, estimate, score
from finetune_alf.report.search import words
from finetune_alf.report.section import Section


def operating_points(sweep: FreezeDocument) -> Section:
    """Return the table of operating points, how to read it, and the published ones."""
    section, keep = Section(), f"{sweep.keep:.0%}"
    section.table(
        (
            "sample",
            "metric",
            f"all {sweep.encoder.n_layers} layers",
            "none (head alone)",
            "commonest class",
            f"layers for {keep} of the score",
            f"layers for {keep} of the gain",
        ),
        list(_rows(sweep)),
    )
    section.text(
        f"Layers: the smallest number of trained layers, of those tried, whose mean keeps {keep} of the full model's "
        "score, or of what it gains over naming the commonest class every time (the mean score, for a metric of "
        "scores). In brackets the smallest from which on the whole 95 % interval does: between the two, seeds and "
        "texts overlap, and the order is not sure.",
        _unsteady(sweep),
        _without_gain(sweep),
    )
    section.text(kept_with(sweep), _cola(sweep), _head_alone(sweep))
    section.text(*_published(sweep))
    return section


def kept_with(sweep: FreezeDocument) -> str:
    """Say how many layers keep most of the score, over the samples but CoLA, as the paper tells it."""
    raw, gain = (_range(sweep, floor) for floor in ("raw", "gain"))
    if raw == NONE:
        return "no full model scores above 0, so that there is nothing to keep."
    over_majority = "no full model gains anything" if gain == NONE else f"of its gain with {gain}"
    if gain != NONE and None in _points(sweep, "gain"):
        over_majority += " where it gains anything"
    apart = "".join(f", `{name}` apart" for name in sweep.samples if name not in _told_together(sweep))
    return (
        f"{sweep.keep:.0%} of the full model's score is kept with {raw} of {sweep.encoder.n_layers} layers trained"
        f"{apart}; over naming the commonest class, {over_majority}."
    )


def _rows(sweep: FreezeDocument) -> Iterator[list[str]]:
    for name in sorted(sweep.samples, key=is_apart):
        one = sweep.samples[name]
        for metric, own in one.operating.items():
            ends = [_estimate(own.full), _estimate(own.none_trained), score(own.majority)]
            yield [f"`{name}`", words(metric), *ends, _point(own.raw), _point(own.gain)]


def _estimate(own: Estimate | None) -> str:
    return estimate(own) if own else NONE


def _point(own: OperatingPoint | None) -> str:
    if own is None:
        return NONE
    return f"{_number(own.n_trained)} [{_number(own.n_sure)}]"


def _number(n_trained: int | None) -> str:
    return "all" if n_trained is None else str(n_trained)


def _range(sweep: FreezeDocument, floor: str) -> str:
    """Return the least and the most layers over the samples, by the metric that each was searched by."""
    points = [point for point in _points(sweep, floor) if point]
    numbers = [sweep.encoder.n_layers if point.n_trained is None else point.n_trained for point in points]
    return " to ".join(str(n) for n in sorted({min(numbers), max(numbers)})) if numbers else NONE


def _points(sweep: FreezeDocument, floor: str) -> list[OperatingPoint | None]:
    own = [sweep.samples[name] for name in _told_together(sweep)]
    return [_of(one.operating[one.metric], floor) for one in own]


def _told_together(sweep: FreezeDocument) -> list[str]:
    """Return the samples but CoLA; CoLA where there is no other."""
    return [name for name in sweep.samples if not is_apart(name)] or list(sweep.samples)


def _of(own: OperatingPoints, floor: str) -> OperatingPoint | None:
    return own.raw if floor == "raw" else own.gain


def _cola(sweep: FreezeDocument) -> str | None:
    for name, one in sweep.samples.items():
        if is_apart(name):
            raw, gain = (_point(_of(one.operating[one.metric], floor)) for floor in ("raw", "gain"))
            return f"`{name}` stands apart, as in the paper: {raw} of {sweep.encoder.n_layers}, of its gain {gain}."
    return None


def _head_alone(sweep: FreezeDocument) -> str | None:
    kept = [
        own.none_trained.mean / own.full.mean
        for own in (one.operating[one.metric] for one in sweep.samples.values())
        if own.none_trained and own.full and own.full.mean > 0
    ]
    if not kept:
        return None
    return f"The head alone keeps {fmean(kept):.0%} of the score on average; in the paper {HEAD_ONLY_KEEPS:.0%}."


def _unsteady(sweep: FreezeDocument) -> str | None:
    named = [
        f"`{name}` by {words(metric)}"
        for name, one in sweep.samples.items()
        for metric, own in one.operating.items()
        if any(point and point.n_trained is not None and not point.is_steady for point in (own.raw, own.gain))
    ]
    return f"Some larger number does not keep it: {', '.join(named)}." if named else None


def _without_gain(sweep: FreezeDocument) -> str | None:
    """Name the full models that may be no better than one answer for all: what is kept of their gain says nothing."""
    named = [
        f"`{name}` by {words(metric)}"
        for name, one in sweep.samples.items()
        for metric, own in one.operating.items()
        if own.above_majority and own.above_majority.low <= 0
    ]
    if not named:
        return None
    return (
        f"No evidence that the full model does better than the commonest class: {', '.join(named)}. "
        "What keeps its gain there is left to chance."
    )


def _published(sweep: FreezeDocument) -> Iterator[str]:
    yield f"Lee, Tang and Lin (2019) keep {KEEP:.0%} of the score, CoLA left out, with:"
    yield "; ".join(f"{point.told} layers of {point.encoder}" for point in POINTS) + "."
    if sweep.encoder.n_layers not in {point.n_layers for point in POINTS}:
        yield "Their encoders have other depths than this one, and their training sets are whole: compare with care."
