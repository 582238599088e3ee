"""One encoder at several tasks: scores by cell, what each costs beside the baseline, and the paper's numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finetune_alf.experiments.multitask.cells import OVERALL, MultitaskLine
from finetune_alf.experiments.multitask.document import CellResult, MultitaskDocument
from finetune_alf.experiments.multitask.figure import scores_of_cells
from finetune_alf.experiments.multitask.published import PUBLISHED, REMARKS, TABLES
from finetune_alf.paths import Paths
from finetune_alf.recipe import Recipe, TaskSpec, TasksSpec
from finetune_alf.recipe.tasks import TaskSampling
from finetune_alf.report.numbers import NONE, counted, duration, estimate, rate, score, signed_estimate
from finetune_alf.report.part import Part, documents
from finetune_alf.report.search import words
from finetune_alf.report.section import Section

KEPT = {"best": "of the epoch that did best on the validation split", "last": "of the last epoch"}
"""Which epoch's weights are scored, by `keep` of the recipe."""


def multitask_part(paths: Paths) -> Part | None:
    """Return the experiments that have run, one after another."""
    records = tuple(documents(paths.experiment("multitask"), MultitaskDocument))
    if not records:
        return None
    section = Section()
    for record in records:
        section.append(_experiment(record, MultitaskLine.read_lines(paths.cells("multitask", record.name))))
    return Part(tuple(map(_in_short, records)), section)


def _experiment(record: MultitaskDocument, lines: Sequence[MultitaskLine]) -> Section:
    section = Section()
    section.text(f"## Several tasks `{record.name}`")
    section.append(_what_was_run(record))
    section.text(f"**Scores on the {record.score_on} split**, {KEPT[record.recipe.keep]}")
    section.table(
        ("cell", OVERALL, *(f"{task}, {words(metric)}" for task, metric in record.metrics.items()), "validation"),
        [*(_scores(record, name, one) for name, one in record.cells.items()), _floor(record)],
    )
    epochs: dict[str, list[list[float | None]]] = {}
    for line in lines:
        epochs.setdefault(line.cell, []).append([epoch.validation_score for epoch in line.epochs])
    section.figure(
        f"{record.name}-multitask.png",
        f"Overall score of the cells of {record.name}, by epoch and against the seconds of a fit",
        scores_of_cells(
            {name: one.scores.as_json() if one.scores else {} for name, one in record.cells.items()},
            epochs,
            record.score_on,
        ),
    )
    section.text(f"**Beside `{record.baseline}`**: what each cell costs, and what it scores")
    section.table(
        ("cell", "time of a fit", "time saved", "score kept", "difference", "parameters", "learning"),
        [_relation(name, one) for name, one in record.cells.items()],
    )
    section.text(_how_judged(record))
    section.append(_beside_the_paper(record))
    return section


def _what_was_run(record: MultitaskDocument) -> Section:
    section, tasks = Section(), record.recipe.tasks
    sizes = "; ".join(
        f"{split} {', '.join(f'{task} {n:,}' for task, n in rows.items())}"
        for split, rows in (record.sample.counts or {}).items()
    )
    rows = [
        ("encoder", f"`{record.encoder.name}`: `{record.encoder.identity}`, {record.encoder.n_layers} layers"),
        ("mixture", f"`{record.sample.name}`: {sizes}; digest `{record.sample.digest[:12]}`"),
        ("recipe", _recipe(record.recipe)),
        *(_of_tasks(tasks, list(record.metrics)) if tasks else ()),
        ("cells", "; ".join(f"`{name}` {_changes(own)}" for name, own in record.vary.items())),
        ("seeds", f"{record.n_seeds} a cell"),
        ("machine", f"{record.machine.device} in {record.machine.precision}, {record.machine.n_threads} threads"),
    ]
    section.table(("what", "value"), rows)
    return section


def _of_tasks(tasks: TasksSpec, names: Sequence[str]) -> list[tuple[str, str]]:
    heads = tasks.heads
    layers = f"{counted(heads.n_common_layers, 'common layer')}, {heads.n_own_layers} of each task's own"
    between = "" if heads.activation == "none" else f", {heads.activation} between them"
    an_epoch = f", {tasks.steps_per_epoch:,} an epoch" if tasks.steps_per_epoch else ""
    each = "; ".join(f"{task}: pairs {_said(tasks.of(task), 'pairs')}" for task in names if task in tasks.each)
    return [
        ("steps", f"{_said(tasks.sampling, 'kind')}{an_epoch}"),
        ("heads", f"{layers}{between}, dropout {_dropout(heads.dropout)}"),
        ("tasks", each or NONE),
        (OVERALL, tasks.overall.replace("_", " ")),
    ]


def _said(spec: TaskSpec | TaskSampling, first: str) -> str:
    """Say one setting by its value, and the others where they are not as by default: `tempered, power 0.3`."""
    others = spec.model_dump(exclude_defaults=True, exclude={first}).items()
    told = str(getattr(spec, first)).replace("_", " ")
    return ", ".join([told, *(f"{key} {value}" for key, value in others)])


def _recipe(recipe: Recipe) -> str:
    rates = f"rate {rate(recipe.rates.highest)} ({recipe.rates.kind}), {recipe.curve.kind} curve"
    return f"{rates}, batch {recipe.batch}, {counted(recipe.epochs, 'epoch')}, {recipe.max_tokens} tokens"


def _changes(own: Mapping[str, Any]) -> str:
    """Say what a cell has other than the recipe: `rates.n_frozen 11`."""
    return ", ".join(f"{key} {value}" for key, value in _leaves(own)) or "as it is"


def _leaves(own: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in own.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _dropout(p: float | None) -> str:
    return "as the encoder's own" if p is None else f"{p:g}"


def _scores(record: MultitaskDocument, name: str, one: CellResult) -> list[str]:
    if one.scores is None:
        return [f"`{name}`", "diverged", *(NONE for _ in record.metrics), NONE]
    tasks = (estimate(one.scores.tasks[task]) for task in record.metrics)
    return [f"`{name}`", estimate(one.scores.overall), *tasks, score(one.scores.validation)]


def _floor(record: MultitaskDocument) -> list[str]:
    each = [score(record.floor.get(task)) for task in record.metrics]
    return ["the commonest answer", score(record.floor.get(OVERALL)), *each, NONE]


def _relation(name: str, one: CellResult) -> list[str]:
    gap, scores = one.difference, one.scores
    return [
        f"`{name}`",
        NONE if scores is None else duration(scores.seconds),
        NONE if one.saved is None else f"{one.saved:.0%}",
        NONE if one.kept is None else f"{one.kept:.1%}",
        NONE if gap is None else signed_estimate(gap.mean, gap.low, gap.high),
        _millions(one.n_parameters),
        NONE if scores is None else _millions(scores.n_trainable_parameters),
    ]


def _millions(n: int) -> str:
    return f"{n / 1e6:.1f} M" if n >= 50_000 else f"{n:,}"


def _how_judged(record: MultitaskDocument) -> str:
    clear = [
        f"`{name}` {'above' if one.difference.low > 0 else 'below'}"
        for name, one in record.cells.items()
        if one.difference and not one.difference.low <= 0 <= one.difference.high
    ]
    told = "For no cell is there evidence of a difference from the baseline."
    if clear:
        told = (
            f"Clearly apart from the baseline: {', '.join(clear)}. For the others there is no evidence of a difference."
        )
    known = {1: "With one seed nothing is known", 2: "With two seeds little is known"}.get(record.n_seeds)
    return (
        f"{told} Intervals are 95 %, by resampling seeds and each task's texts, the same ones for all cells, and not "
        f"corrected for the number of cells.{f' {known} of how seeds differ.' if known else ''}"
    )


def _beside_the_paper(record: MultitaskDocument) -> Section:
    section = Section()
    known = {name: PUBLISHED[name] for name in record.cells if name in PUBLISHED}
    tasks = list(record.metrics)
    if known:
        section.text(f"**Beside the paper** (minBERT multi-task, {TABLES})")
        section.table(
            (
                "cell",
                *(f"{what}, {whose}" for what in (OVERALL, *tasks) for whose in ("paper", "ours")),
                "paper's size",
            ),
            [list(_published(record, name)) for name in known],
        )
    remarks = [REMARKS[name] for name in record.cells if name in REMARKS]
    if known or remarks:
        section.text(
            *remarks,
            "Theirs is BERT-base on all of the data; encoder and sizes of ours stand above. Their scores are on "
            "the split that chose the epoch, which flatters them; what ours score there is under `validation`.",
        )
    return section


def _published(record: MultitaskDocument, name: str) -> Iterator[str]:
    theirs, ours = PUBLISHED[name], record.cells[name]
    yield f"`{name}`"
    yield from (score(theirs.overall), score(ours.scores.overall.mean if ours.scores else None))
    for task in record.metrics:
        yield from (score(theirs.of(task)), score(ours.scores.tasks[task].mean if ours.scores else None))
    yield NONE if theirs.n_millions is None else f"{theirs.n_millions:.1f} M"


def _in_short(record: MultitaskDocument) -> str:
    overall = {name: one.scores.overall for name, one in record.cells.items() if one.scores}
    if not overall:
        return f"Several tasks **`{record.name}`**: every fit diverged."
    best = max(overall, key=lambda name: overall[name].mean)
    quick = [
        f"`{name}` keeps {own.kept:.0%} of the score of `{record.baseline}` in {own.saved:.0%} less time"
        for name, own in record.cells.items()
        if own.saved is not None and own.kept is not None and own.saved >= 0.1
    ]
    highest = f"highest overall {estimate(overall[best])} with `{best}`"
    return f"Several tasks **`{record.name}`**: {'; '.join([highest, *quick])}."
