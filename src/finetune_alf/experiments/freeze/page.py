"""How many layers must learn: scores by level, operating points, and what each level costs, sweep by sweep."""

from collections.abc import Callable, Iterator, Sequence

from finetune_alf.documents import Estimate
from finetune_alf.experiments.freeze.document import FreezeDocument, SampleTable
from finetune_alf.experiments.freeze.figure import relative_by_level, scores_by_level
from finetune_alf.experiments.freeze.page_costs import what_it_costs
from finetune_alf.experiments.freeze.page_points import kept_with, operating_points
from finetune_alf.paths import Paths
from finetune_alf.report.numbers import NONE, counted, estimate, rate, score, signed_estimate
from finetune_alf.report.part import Part, documents
from finetune_alf.report.search import words
from finetune_alf.report.section import Section

FULL = "none"


def freeze_part(paths: Paths) -> Part | None:
    """Return the sweeps that have run, one after another, then those of the same depth side by side."""
    sweeps = tuple(documents(paths.experiment("freeze"), FreezeDocument))
    if not sweeps:
        return None
    section = Section()
    for sweep in sweeps:
        section.append(_sweep(sweep))
    for n_layers in sorted({sweep.encoder.n_layers for sweep in sweeps}):
        same = [sweep for sweep in sweeps if sweep.encoder.n_layers == n_layers]
        if len(same) > 1:
            section.append(_side_by_side(same, n_layers))
    return Part(tuple(_in_short(sweeps)), section)


def _sweep(sweep: FreezeDocument) -> Section:
    section, samples = Section(), sweep.samples
    section.text(f"## Freeze sweep `{sweep.name}`")
    section.append(_what_was_run(sweep))
    section.text("### Score by frozen layers")
    section.figure(
        f"{sweep.name}-levels.png",
        f"Scores of {sweep.name} by the number of frozen layers, with 95 % intervals",
        scores_by_level(
            {
                name: {words(metric): _line(one, metric) for metric in one.sample.metrics}
                for name, one in samples.items()
            }
        ),
    )
    section.table(("sample", "metric", *_headings(sweep)), list(_score_rows(sweep)))
    section.text(_diverged(sweep))
    section.figure(
        f"{sweep.name}-relative.png",
        f"Scores of {sweep.name} minus the full model's, by the number of frozen layers",
        relative_by_level({one.title: {sweep.encoder.name: _relative(one)} for one in samples.values()}),
    )
    section.table(("sample", "metric", *_headings(sweep)[1:]), list(_relative_rows(sweep)))
    section.text(*_clear_differences(sweep))
    section.text("### Operating points")
    section.append(operating_points(sweep))
    section.text("### What each level costs")
    section.append(what_it_costs(sweep))
    return section


def _what_was_run(sweep: FreezeDocument) -> Section:
    section, recipe, machine = Section(), sweep.recipe, sweep.machine
    scored = ", ".join(f"`{name}` {one.sample.scored_on} {one.sample.n_texts:,}" for name, one in sweep.samples.items())
    dropout = "on, as in plain fine-tuning"
    if recipe.frozen_dropout == "off":
        dropout = "**off**: other semantics than plain fine-tuning (class S)"
    rows = [
        ("encoder", f"`{sweep.encoder.name}`: `{sweep.encoder.identity}`, {sweep.encoder.n_layers} layers"),
        ("scored on (texts)", scored),
        ("recipe", f"batch {recipe.batch}, {counted(recipe.epochs, 'epoch')}, {recipe.max_tokens} tokens"),
        ("dropout in frozen layers", dropout),
        ("seeds", f"{sweep.n_seeds} a level, {sweep.n_search_seeds} a rate of the line search"),
        ("machine", f"{machine.device} in {machine.precision}, {counted(machine.n_threads, 'thread')}"),
    ]
    section.table(("what", "value"), rows)
    section.text(
        "Embeddings and the first layers are frozen, the rest learns (Lee, Tang and Lin 2019). The rate is the one at "
        "which the full model does best on the validation split:"
    )
    rates = list(dict.fromkeys(key for one in sweep.samples.values() for key in one.search.scores))
    section.table(
        ("sample", "validation metric", *(rate(float(each)) for each in rates), "kept"),
        [
            (f"`{name}`", words(one.metric), *(_searched(one, each) for each in rates), rate(one.search.rate))
            for name, one in sweep.samples.items()
        ],
    )
    section.text(_search_cautions(sweep))
    return section


def _searched(one: SampleTable, key: str) -> str:
    scores = one.search.scores.get(key, ())
    heard = [value for value in scores if value is not None]
    return score(sum(heard) / len(heard)) if heard and len(heard) == len(scores) else "diverged"


def _search_cautions(sweep: FreezeDocument) -> str:
    edge = [f"`{name}`" for name, one in sweep.samples.items() if one.search.is_at_edge and len(one.search.scores) > 1]
    seen = [f"`{name}`" for name, one in sweep.samples.items() if one.sample.scored_on == "validation"]
    said = []
    if edge:
        said.append(f"At the edge of the rates tried, so that a better one may lie beyond: {', '.join(edge)}.")
    if seen:
        said.append(f"Scored on the same split that chose the rate, for want of test rows: {', '.join(seen)}.")
    return " ".join(said)


def _headings(sweep: FreezeDocument) -> list[str]:
    return ["all learn" if name == FULL else f"{name} frozen" for name in _levels(sweep)]


def _levels(sweep: FreezeDocument) -> list[str]:
    return list(dict.fromkeys(name for one in sweep.samples.values() for name in one.levels))


def _score_rows(sweep: FreezeDocument) -> Iterator[list[str]]:
    for name, one in sweep.samples.items():
        for metric in one.sample.metrics:
            cells = [own.scores[metric] if (own := one.levels.get(level)) else None for level in _levels(sweep)]
            yield [f"`{name}`", words(metric), *(estimate(cell) if cell else NONE for cell in cells)]


def _diverged(sweep: FreezeDocument) -> str | None:
    named = [
        f"`{name}` with {level} frozen, {counted(own.n_diverged, 'fit')} of {own.n_seeds + own.n_diverged}"
        for name, one in sweep.samples.items()
        for level, own in one.levels.items()
        if own.n_diverged
    ]
    return f"Diverged, and left out of all means: {'; '.join(named)}." if named else None


def _relative_rows(sweep: FreezeDocument) -> Iterator[list[str]]:
    for name, one in sweep.samples.items():
        for metric in one.sample.metrics:
            cells = [own.relative[metric] if (own := one.levels.get(level)) else None for level in _levels(sweep)[1:]]
            yield [f"`{name}`", words(metric), *(_signed(cell) for cell in cells)]


def _signed(own: Estimate | None) -> str:
    return NONE if own is None else signed_estimate(own.mean, own.low, own.high)


def _line(one: SampleTable, metric: str) -> dict[str, dict[str, float] | None]:
    return {level: _ends(own.scores[metric]) for level, own in one.levels.items()}


def _relative(one: SampleTable) -> dict[str, dict[str, float] | None]:
    return {level: _ends(own.relative[one.metric]) for level, own in one.levels.items()}


def _ends(own: Estimate | None) -> dict[str, float] | None:
    return own.model_dump() if own else None


def _clear_differences(sweep: FreezeDocument) -> Iterator[str]:
    """Say for which levels the interval of the difference from the full model leaves 0 out."""
    below = _levels_where(sweep, lambda own: own.high < 0)
    above = _levels_where(sweep, lambda own: own.low > 0)
    if below:
        yield f"Below the full model: {below}."
    if above:
        yield f"Above the full model: {above}."
    where = "Everywhere else" if below or above else "At every level and by every metric"
    yield (
        f"{where} the interval of the difference holds 0: no evidence of a difference. Intervals are 95 %, over fresh "
        "seeds and texts, the same ones for all levels, and not corrected for the number of comparisons."
    )
    if sweep.n_seeds < 3:
        yield f"With {counted(sweep.n_seeds, 'seed')} little is known of how seeds differ."


def _levels_where(sweep: FreezeDocument, is_so: Callable[[Estimate], bool]) -> str:
    told = []
    for name, one in sweep.samples.items():
        for metric in one.sample.metrics:
            differences = {level: own.relative[metric] for level, own in one.levels.items() if level != FULL}
            if named := [level for level, own in differences.items() if own and is_so(own)]:
                told.append(f"`{name}` by {words(metric)} with {', '.join(named)} frozen")
    return "; ".join(told)


def _side_by_side(sweeps: Sequence[FreezeDocument], n_layers: int) -> Section:
    """Return the encoders of one depth in one figure, each aligned with its own full model at zero."""
    section = Section()
    section.text(f"## Encoders of {n_layers} layers side by side")
    lines: dict[str, dict[str, dict[str, dict[str, float] | None]]] = {}
    for sweep in sweeps:
        for one in sweep.samples.values():
            lines.setdefault(one.title, {})[sweep.name] = _relative(one)
    section.figure(
        f"freeze-{n_layers}-layers.png",
        f"Scores of encoders of {n_layers} layers minus those of their full models, by the number of frozen layers",
        relative_by_level(lines),
    )
    return section


def _in_short(sweeps: Sequence[FreezeDocument]) -> Iterator[str]:
    for sweep in sweeps:
        yield f"Freeze sweep **`{sweep.name}`**: {kept_with(sweep)}"
