"""The cost of each level of a sweep, measured and by formula, and the Pareto-optimal levels."""

from collections.abc import Iterator

from finetune_alf.experiments.freeze.document import FreezeDocument, SampleTable
from finetune_alf.experiments.freeze.figure import score_against_seconds
from finetune_alf.experiments.freeze.levels import FULL_MODEL
from finetune_alf.report.numbers import NONE, duration, score
from finetune_alf.report.section import Section


def costs(sweep: FreezeDocument) -> Section:
    """Return time, FLOPs and memory by level, score against time, and the error of the cost formula."""
    section, tables = Section(), sweep.samples
    section.figure(
        f"{sweep.name}-seconds.png",
        f"Score against the seconds of a fit for {sweep.name}, by the number of frozen layers",
        score_against_seconds(
            {table.title: _points(table) for table in tables.values()},
            {table.title: table.pareto_front for table in tables.values()},
            f"{sweep.name}-seconds",
        ),
    )
    section.table(
        (
            "sample",
            "frozen",
            "score",
            "time of a fit",
            "time / full model",
            "FLOPs / full model",
            "memory",
            "Pareto-optimal",
        ),
        [row for name, table in tables.items() for row in _rows(name, table)],
    )
    section.text(
        "Score: by the metric that selected the rate. Time: the median over seeds, evaluations included. FLOPs: of "
        "matrix products, by the cost formula. Memory: the peak of a fit by the formula, without libraries. "
        "Pareto-optimal: no other level is as fast and as good, and better in one of them.",
        f"{sweep.n_at_once} fits ran at a time, which lengthens each; levels that were fused (`compute.n_fused`) took "
        "equally long."
        if sweep.n_at_once > 1
        else None,
    )
    section.text(_calibration(sweep))
    return section


def _points(table: SampleTable) -> dict[str, tuple[float, float]]:
    return {
        name: (level.seconds, value.mean)
        for name, level in table.levels.items()
        if (value := level.scores[table.metric]) and level.seconds is not None
    }


def _rows(name: str, table: SampleTable) -> Iterator[list[str]]:
    full = table.levels[FULL_MODEL]
    for level_name, level in table.levels.items():
        value = level.scores[table.metric]
        yield [
            f"`{name}`",
            level_name,
            score(value.mean if value else None),
            NONE if level.seconds is None else duration(level.seconds),
            _ratio(level.seconds, full.seconds),
            _ratio(level.flops, full.flops),
            f"{level.memory_bytes / 2**20:,.0f} MiB",
            "yes" if level_name in table.pareto_front else "",
        ]


def _ratio(value: float | None, full: float | None) -> str:
    return NONE if value is None or not full else f"{value / full:.2f}"


def _seconds(seconds: float) -> str:
    return duration(seconds) if seconds >= 10 else f"{seconds:.3g} s"


def _calibration(sweep: FreezeDocument) -> str | None:
    errors = [
        f"`{name}` {fit.max_relative_error:.0%} (with {_seconds(fit.teraflop_s)} for 10^12 FLOPs and "
        f"{1000 * fit.layer_call_s:.2g} ms for a pass through a layer)"
        for name, table in sweep.samples.items()
        if (fit := table.calibration)
    ]
    if not errors:
        return None
    return (
        f"Largest error of the cost formula at any level, after calibration on the measured times: {'; '.join(errors)}."
    )
