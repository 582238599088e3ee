"""The operating points of a sweep: how few layers keep most of the score, beside the published numbers."""

from collections.abc import Iterator

from finetune_alf.documents import Estimate
from finetune_alf.experiments.freeze.document import FreezeDocument, OperatingPoint, OperatingPoints
from finetune_alf.experiments.freeze.page_published import head_only, improvement, operating_points_of_the_paper
from finetune_alf.experiments.freeze.published import is_outlier
from finetune_alf.report.numbers import NONE, estimate, percent, score
from finetune_alf.report.search import words
from finetune_alf.report.section import Section


def operating_points(sweep: FreezeDocument) -> Section:
    """Return the table of operating points, how to read it, and the published ones."""
    section, keep = Section(), percent(sweep.keep_frac)
    section.table(
        (
            "sample",
            "metric",
            f"all {sweep.encoder.n_layers} layers",
            "head only",
            "majority baseline",
            f"layers for {keep} of the score",
            f"layers for {keep} of the gain",
        ),
        _rows(sweep),
    )
    section.text(
        f"Layers: the smallest number of trained layers tried whose mean keeps {keep} of the full model's score, or of "
        "its gain over the majority baseline (the most frequent class for every text, or the mean score). In brackets: "
        "the smallest number from which on the whole 95 % interval keeps it.",
        _not_monotone(sweep),
        _without_gain(sweep),
    )
    section.text(_capitalized(kept_with(sweep)), _outlier(sweep), head_only(sweep))
    section.text(*operating_points_of_the_paper(sweep))
    section.text(*improvement(sweep))
    return section


def kept_with(sweep: FreezeDocument) -> str:
    """Return in a sentence how many layers keep most of the score, over the samples but CoLA, as in the paper."""
    names = _without_outlier(sweep)
    points = [sweep.samples[name].operating_points[sweep.samples[name].metric] for name in names]
    of_score, of_gain = ([point.of_score for point in points], [point.of_gain for point in points])
    if not any(point.full_model for point in points):
        return "every fit of the full model diverged."
    if not any(of_score):
        return "no full model scores above 0."
    gain = "no full model is above the majority baseline"
    if any(of_gain):
        gain = f"of its gain over the majority baseline with {_range(sweep, of_gain)}"
        gain += "" if all(of_gain) else ", on the samples with a gain"
    left_out = "".join(f", without `{name}`" for name in sweep.samples if name not in names)
    return (
        f"{percent(sweep.keep_frac)} of the full model's score is kept with {_range(sweep, of_score)} of "
        f"{sweep.encoder.n_layers} layers trained{left_out}; {gain}."
    )


def _rows(sweep: FreezeDocument) -> Iterator[list[str]]:
    for name in sorted(sweep.samples, key=is_outlier):
        for metric, points in sweep.samples[name].operating_points.items():
            ends = [_estimate(points.full_model), _estimate(points.head_only), score(points.majority_baseline)]
            yield [f"`{name}`", words(metric), *ends, _point(points.of_score), _point(points.of_gain)]


def _estimate(value: Estimate | None) -> str:
    return estimate(value) if value else NONE


def _point(point: OperatingPoint | None) -> str:
    if point is None:
        return NONE
    return f"{_number(point.n_trained)} [{_number(point.n_conservative)}]"


def _number(n_trained: int | None) -> str:
    return "all" if n_trained is None else str(n_trained)


def _range(sweep: FreezeDocument, points: list[OperatingPoint | None]) -> str:
    """Return the least and the most layers over the samples."""
    numbers = [sweep.encoder.n_layers if point.n_trained is None else point.n_trained for point in points if point]
    return " to ".join(str(n) for n in sorted({min(numbers), max(numbers)}))


def _without_outlier(sweep: FreezeDocument) -> list[str]:
    """Return the samples but CoLA; CoLA if there is no other."""
    return [name for name in sweep.samples if not is_outlier(name)] or list(sweep.samples)


def _outlier(sweep: FreezeDocument) -> str | None:
    for name, table in sweep.samples.items():
        if is_outlier(name):
            points = table.operating_points[table.metric]
            return (
                f"`{name}` is reported by itself, as in the paper: {_point(points.of_score)} layers for the score, "
                f"{_point(points.of_gain)} for the gain."
            )
    return None


def _by_metric(sweep: FreezeDocument) -> Iterator[tuple[str, OperatingPoints]]:
    for name, table in sweep.samples.items():
        for metric, points in table.operating_points.items():
            yield f"`{name}` by {words(metric)}", points


def _not_monotone(sweep: FreezeDocument) -> str | None:
    named = [
        name
        for name, points in _by_metric(sweep)
        if any(
            point and point.n_trained is not None and not point.is_monotone
            for point in (points.of_score, points.of_gain)
        )
    ]
    return f"Not monotone, as some larger number of layers does not keep it: {', '.join(named)}." if named else None


def _without_gain(sweep: FreezeDocument) -> str | None:
    """Name the full models whose gain may be chance, and with it the operating point of the gain, or that have none."""
    gains = [(name, points.gain) for name, points in _by_metric(sweep) if points.gain and points.gain.low <= 0]
    chance = [name for name, gain in gains if gain.high >= 0]
    below = [name for name, gain in gains if gain.high < 0]
    found = (
        (
            "The interval of the full model's gain over the majority baseline includes 0, so the gain may be chance",
            chance,
        ),
        ("The full model scores below the majority baseline", below),
    )
    return " ".join(f"{what}: {', '.join(names)}." for what, names in found if names) or None


def _capitalized(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
