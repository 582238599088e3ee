"""What each level of a sweep costs, measured and by formula, and which levels are worth it."""

from collections.abc import Iterator

from finetune_alf.experiments.freeze.document import FreezeDocument, LevelResult, SampleTable
from finetune_alf.experiments.freeze.figure import score_against_seconds
from finetune_alf.report.numbers import NONE, duration, score
from finetune_alf.report.section import Section


def what_it_costs(sweep: FreezeDocument) -> Section:
    """Return seconds and memory by level, the front of score against seconds, and how near the formula comes."""
    section = Section()
    section.figure(
        f"{sweep.name}-seconds.png",
        f"Score against the seconds of a fit for {sweep.name}, by the number of frozen layers",
        score_against_seconds(
            {one.title: _points(one) for one in sweep.samples.values()},
            {one.title: one.front for one in sweep.samples.values()},
        ),
    )
    section.table(
        ("sample", "frozen", "score", "a fit", "time to full", "operations to full", "memory", "worth it"),
        [row for name, one in sweep.samples.items() for row in _rows(name, one)],
    )
    section.text(
        "Score: by the metric that chose the rate. A fit: the median over seeds of its whole time, evaluations "
        "included. Operations: those of matrix products, by the cost formula. Memory: a fit at its fullest, by the "
        "formula too, libraries not counted. Worth it: no other level is as quick and as good.",
        f"{sweep.n_at_once} fits ran at a time, which stretches their seconds; levels that went in lockstep "
        "(`n_fused`) took as long as one another."
        if sweep.n_at_once > 1
        else None,
    )
    section.text(_by_formula(sweep))
    return section


def _points(one: SampleTable) -> dict[str, tuple[float, float]]:
    scored = {name: (own, own.scores[one.metric]) for name, own in one.levels.items()}
    return {name: (own.seconds, at.mean) for name, (own, at) in scored.items() if at and own.seconds is not None}


def _rows(name: str, one: SampleTable) -> Iterator[list[str]]:
    full = one.levels["none"]
    for level, own in one.levels.items():
        at = own.scores[one.metric]
        yield [
            f"`{name}`",
            level,
            score(at.mean if at else None),
            NONE if own.seconds is None else duration(own.seconds),
            _ratio(own.seconds, full.seconds),
            _ratio(own.flops, full.flops),
            _memory(own),
            "yes" if level in one.front else "",
        ]


def _ratio(own: float | None, full: float | None) -> str:
    return NONE if own is None or not full else f"{own / full:.2f}"


def _memory(own: LevelResult) -> str:
    return f"{own.memory_bytes / 2**20:,.0f} MiB"


def _by_formula(sweep: FreezeDocument) -> str | None:
    told = [
        f"`{name}` {own.worst:.0%} (at {own.tera_s:.3g} s for 10^12 operations and {1000 * own.call_s:.2g} ms for a "
        "layer run through)"
        for name, one in sweep.samples.items()
        if (own := one.cost_fit)
    ]
    if not told:
        return None
    return (
        f"How far the seconds of any level lie off the cost formula at the prices that suit it best: {'; '.join(told)}."
    )
