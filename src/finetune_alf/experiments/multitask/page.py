"""Multi-task experiments on the page: scores and costs of the cells, and the paper's numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finetune_alf.experiments.multitask.cells import OVERALL, MultitaskLine
from finetune_alf.experiments.multitask.document import CellResult, MultitaskDocument
from finetune_alf.experiments.multitask.family import DESCRIBED
from finetune_alf.experiments.multitask.figure import epochs_plot, seconds_plot
from finetune_alf.experiments.multitask.page_alone import alone_section
from finetune_alf.experiments.multitask.page_published import published_section
from finetune_alf.paths import Paths
from finetune_alf.recipe import Recipe, TaskSpec, TasksSpec
from finetune_alf.recipe.tasks import TaskSampling
from finetune_alf.report.environments import environment_rows
from finetune_alf.report.evidence import how_to_read, p_cell, verdict_cell
from finetune_alf.report.numbers import NONE, counted, duration, estimate, rate, score, signed_estimate
from finetune_alf.report.part import DocumentPart, Part, documents
from finetune_alf.report.search import words
from finetune_alf.report.section import Section

KEPT = {"best": "of the best epoch on the validation split", "last": "of the last epoch"}
"""The epoch whose weights are scored, by `keep` of the recipe."""


def multitask_part(paths: Paths) -> Part | None:
    """Return the experiments that have run, one after another."""
    experiments = tuple(documents(paths.experiment("multitask"), MultitaskDocument))
    if not experiments:
        return None
    parts = [_document_part(paths, document) for document in experiments]
    parts[-1].section.append(alone_section(experiments))
    return Part(tuple(parts))


def _document_part(paths: Paths, document: MultitaskDocument) -> DocumentPart:
    section = _experiment_section(document, MultitaskLine.read_lines(paths.cells("multitask", document.name)))
    return DocumentPart(
        f"Several tasks `{document.name}`", section, (_summary(document),), (f"multitask/{document.name}",)
    )


def _experiment_section(document: MultitaskDocument, lines: Sequence[MultitaskLine]) -> Section:
    section = Section()
    section.table(("what", "value"), _settings_rows(document), "**Settings**")
    section.table(
        ("cell", OVERALL, *(f"{task}, {words(metric)}" for task, metric in document.metrics.items()), "validation"),
        [*(_score_row(document, name) for name in document.cells), _majority_row(document)],
        f"**Scores on the {document.score_on} split**, {_kept_epoch(document)}",
    )
    section.figure(
        f"{document.name}-multitask.png",
        f"Overall validation score of the cells of {document.name} by epoch",
        epochs_plot(document, lines),
    )
    section.figure(
        f"{document.name}-multitask-seconds.png",
        f"Overall {document.score_on} score of the cells of {document.name} against the seconds of a fit",
        seconds_plot(document, lines),
    )
    section.table(
        (
            "cell",
            "time of a fit",
            "time saved",
            "score kept",
            "difference",
            "p, corrected",
            "verdict",
            "parameters",
            "trainable",
        ),
        [_cost_row(name, cell) for name, cell in document.cells.items()],
        f"**Cost and score relative to `{document.baseline}`**",
    )
    differences = [cell.difference for cell in document.cells.values() if cell.difference]
    section.text(how_to_read(DESCRIBED, differences, document.n_seeds))
    section.append(published_section(document, lines))
    return section


def _kept_epoch(document: MultitaskDocument) -> str:
    """Return the epoch that is scored; cells may differ in it."""
    kept = {str(changes.get("keep", document.recipe.keep)) for changes in document.vary.values()}
    return KEPT[kept.pop()] if len(kept) == 1 else "of the epoch that `keep` of the cell says"


def _settings_rows(document: MultitaskDocument) -> list[tuple[str, str]]:
    encoder, sample, tasks = document.encoder, document.sample, document.recipe.tasks
    sizes = "; ".join(
        f"{split} {', '.join(f'{task} {n:,}' for task, n in by_task.items())}"
        for split, by_task in (sample.counts or {}).items()
    )
    return [
        ("encoder", f"`{encoder.name}`: `{encoder.identity}`, {encoder.n_layers} layers"),
        ("mixture", f"`{sample.name}`: {sizes}; digest `{sample.digest[:12]}`"),
        ("recipe", _recipe(document.recipe)),
        *(_task_rows(document.recipe, tasks, list(document.metrics)) if tasks else ()),
        ("cells", "; ".join(f"`{name}` {_changes(changes)}" for name, changes in document.vary.items())),
        ("seeds", f"{document.n_seeds} for each cell"),
        *environment_rows(document.environments),
    ]


def _task_rows(recipe: Recipe, tasks: TasksSpec, names: Sequence[str]) -> list[tuple[str, str]]:
    heads = tasks.heads
    layers = f"{counted(heads.n_common_layers, 'common layer')}, {heads.n_own_layers} for each task"
    activation = "" if heads.activation == "none" else f", {heads.activation} between them"
    given = recipe.steps_per_epoch or tasks.steps_per_epoch
    steps = f", {given:,} steps per epoch" if given else ""
    dropout = "the encoder's" if heads.dropout is None else f"{heads.dropout:g}"
    each = "; ".join(f"{task}: pairs {_settings(tasks.of(task), 'pairs')}" for task in names if task in tasks.each)
    return [
        ("sampling", f"{_settings(tasks.sampling, 'kind')}{steps}"),
        ("heads", f"{layers}{activation}, dropout {dropout}"),
        ("tasks", each or NONE),
        (OVERALL, words(tasks.overall)),
    ]


def _settings(spec: TaskSpec | TaskSampling, first: str) -> str:
    """Write one setting by its value, and the others where they differ from the default: `tempered, power 0.3`."""
    others = spec.model_dump(exclude_defaults=True, exclude={first}).items()
    return ", ".join([words(getattr(spec, first)), *(f"{key} {value}" for key, value in others)])


def _recipe(recipe: Recipe) -> str:
    rates = f"rate {rate(recipe.rates.highest)} ({recipe.rates.kind}), {words(recipe.curve.kind)} curve"
    return f"{rates}, batch {recipe.batch}, {counted(recipe.epochs, 'epoch')}, {recipe.max_tokens} tokens"


def _changes(changes: Mapping[str, Any]) -> str:
    """Write the changes of a cell: `rates.n_frozen 11`."""
    return ", ".join(f"{key} {value}" for key, value in _leaves(changes)) or "the recipe as it is"


def _leaves(changes: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in changes.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _score_row(document: MultitaskDocument, name: str) -> list[str]:
    scores = document.cells[name].scores
    if scores is None:
        return [f"`{name}`", "diverged", *(NONE for _ in document.metrics), NONE]
    tasks = (estimate(scores.tasks[task]) for task in document.metrics)
    return [f"`{name}`", estimate(scores.overall), *tasks, score(scores.validation)]


def _majority_row(document: MultitaskDocument) -> list[str]:
    by_task = [score(document.majority_baselines[task]) for task in document.metrics]
    return ["majority baseline", score(document.majority_baselines[OVERALL]), *by_task, NONE]


def _cost_row(name: str, cell: CellResult) -> list[str]:
    difference, scores = cell.difference, cell.scores
    return [
        f"`{name}`",
        NONE if scores is None else duration(scores.seconds),
        NONE if cell.time_saved is None else f"{cell.time_saved:.0%}",
        NONE if cell.score_kept is None else f"{cell.score_kept:.1%}",
        NONE if difference is None else signed_estimate(difference.mean, difference.low, difference.high),
        NONE if difference is None else p_cell(difference.p_holm),
        NONE if difference is None else verdict_cell(difference.verdict),
        _millions(cell.n_parameters),
        NONE if scores is None else _millions(scores.n_trainable_parameters),
    ]


def _millions(n: int) -> str:
    return f"{n / 1e6:.1f} M" if n >= 50_000 else f"{n:,}"


def _summary(document: MultitaskDocument) -> str:
    overall = {name: cell.scores.overall for name, cell in document.cells.items() if cell.scores}
    if not overall:
        return f"Several tasks **`{document.name}`**: every fit diverged."
    best = max(overall, key=lambda name: overall[name].mean)
    faster = [
        f"`{name}` keeps {cell.score_kept:.0%} of the score of `{document.baseline}` in {cell.time_saved:.0%} less time"
        for name, cell in document.cells.items()
        if cell.time_saved is not None and cell.score_kept is not None and cell.time_saved >= 0.1
    ]
    highest = f"highest overall {estimate(overall[best])} with `{best}`"
    return f"Several tasks **`{document.name}`**: {'; '.join([highest, *faster])}."
