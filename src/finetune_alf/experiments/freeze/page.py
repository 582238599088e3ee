"""The part of the report about freeze sweeps, sweep by sweep, then encoders of the same depth side by side."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from finetune_alf.experiments.freeze.document import FreezeDocument, SampleTable
from finetune_alf.experiments.freeze.figure import Line, differences_by_level
from finetune_alf.experiments.freeze.page_costs import costs
from finetune_alf.experiments.freeze.page_points import kept_with, operating_points
from finetune_alf.experiments.freeze.page_scores import differences, scores_and_differences
from finetune_alf.paths import Paths
from finetune_alf.report.environments import environment_rows
from finetune_alf.report.numbers import NONE, counted, rate, score
from finetune_alf.report.part import DocumentPart, Part, documents
from finetune_alf.report.search import words
from finetune_alf.report.section import Section


def freeze_part(paths: Paths) -> Part | None:
    """Return the part of the report about all sweeps; None if none has run."""
    sweeps = tuple(documents(paths.experiment("freeze"), FreezeDocument))
    if not sweeps:
        return None
    return Part((*map(_sweep, sweeps), *_depths(sweeps)))


def _sweep(sweep: FreezeDocument) -> DocumentPart:
    section = Section()
    section.append(_what_was_run(sweep))
    section.heading(3, "Scores by number of frozen layers")
    section.append(scores_and_differences(sweep))
    section.heading(3, "Operating points")
    section.append(operating_points(sweep))
    section.heading(3, "Cost of each level")
    section.append(costs(sweep))
    line = f"Freeze sweep **`{sweep.name}`**: {kept_with(sweep)}"
    return DocumentPart(f"Freeze sweep `{sweep.name}`", section, (line,), (f"freeze/{sweep.name}",))


def _depths(sweeps: Sequence[FreezeDocument]) -> Iterator[DocumentPart]:
    for n_layers in sorted({sweep.encoder.n_layers for sweep in sweeps}):
        same_depth = [sweep for sweep in sweeps if sweep.encoder.n_layers == n_layers]
        if len(same_depth) > 1:
            yield DocumentPart(f"Encoders of {n_layers} layers side by side", _side_by_side(same_depth, n_layers))


def _what_was_run(sweep: FreezeDocument) -> Section:
    section, recipe = Section(), sweep.recipe
    score_on = [
        f"`{name}`, {counted(table.sample.n_texts, 'text')} of its {table.sample.score_on} split"
        for name, table in sweep.samples.items()
    ]
    dropout = "on, as in plain fine-tuning"
    if recipe.frozen_dropout == "off":
        dropout = "**off**, unlike plain fine-tuning (class S)"
    rows = [
        ("encoder", f"`{sweep.encoder.name}`: `{sweep.encoder.identity}`, {sweep.encoder.n_layers} layers"),
        ("scored on", "; ".join(score_on)),
        ("recipe", f"batch {recipe.batch}, {counted(recipe.epochs, 'epoch')}, {recipe.max_tokens} tokens"),
        ("dropout in frozen layers", dropout),
        ("seeds", f"{sweep.n_seeds} a level, {sweep.n_search_seeds} a rate of the line search"),
        *environment_rows(sweep.environments),
    ]
    section.table(("what", "value"), rows, "**Settings**")
    section.text(
        "The embeddings and the lowest layers are frozen; the other layers and the head are trained (Lee, Tang and Lin "
        "2019). The line search selects the rate at which the full model has the best mean validation score:"
    )
    rates = list(dict.fromkeys(key for table in sweep.samples.values() for key in table.search.scores))
    section.table(
        ("sample", "validation metric", *(rate(float(key)) for key in rates), "selected rate"),
        [
            (f"`{name}`", words(table.metric), *(_search_score(table, key) for key in rates), rate(table.search.rate))
            for name, table in sweep.samples.items()
        ],
    )
    section.text(*_search_cautions(sweep))
    return section


def _search_score(table: SampleTable, rate_key: str) -> str:
    scores = table.search.scores.get(rate_key, ())
    converged = [value for value in scores if value is not None]
    if len(converged) < len(scores):
        return "diverged"
    return score(fmean(converged)) if converged else NONE


def _search_cautions(sweep: FreezeDocument) -> Iterator[str]:
    tables = sweep.samples.items()
    if edge := [f"`{name}`" for name, table in tables if table.search.is_at_edge and len(table.search.scores) > 1]:
        yield f"At the edge of the rates tried, so that a better one may lie beyond: {', '.join(edge)}."
    if on_validation := [f"`{name}`" for name, table in tables if table.sample.score_on == "validation"]:
        yield (
            "Scored on the validation split, which also selected the rate, for lack of test texts: "
            f"{', '.join(on_validation)}."
        )


def _side_by_side(sweeps: Sequence[FreezeDocument], n_layers: int) -> Section:
    """Return the encoders of one depth in one figure, each as differences from its own full model."""
    section = Section()
    lines: dict[str, dict[str, Line]] = {}
    for sweep in sweeps:
        for table in sweep.samples.values():
            lines.setdefault(table.title, {})[sweep.name] = differences(table)
    section.figure(
        f"freeze-{n_layers}-layers.png",
        f"Scores of encoders of {n_layers} layers minus those of their full models, by the number of frozen layers",
        differences_by_level(lines, f"freeze-{n_layers}-layers"),
    )
    return section
