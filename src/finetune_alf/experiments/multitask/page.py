"""One encoder at several tasks: scores by cell, what each costs beside the baseline, and the paper's numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from finetune_alf.experiments.multitask.document import CellLine, CellScores, MultitaskRecord
from finetune_alf.experiments.multitask.figure import scores_of_cells
from finetune_alf.experiments.multitask.published import PUBLISHED, REMARKS, TABLES
from finetune_alf.files import read_jsonl
from finetune_alf.paths import Paths
from finetune_alf.recipe import Recipe, TaskSpec, TasksSpec
from finetune_alf.recipe.tasks import TaskSampling
from finetune_alf.report.load import checked
from finetune_alf.report.numbers import NONE, counted, duration, estimate, rate, score, signed_estimate
from finetune_alf.report.part import Part, documents
from finetune_alf.report.search import words
from finetune_alf.report.section import Section

OVERALL = "overall"
KEPT = {"best": "of the epoch that did best on the validation split", "last": "of the last epoch"}
"""Which epoch's weights are scored, by `keep` of the recipe."""


def multitask_part(paths: Paths) -> Part | None:
    """Return the experiments that have run, one after another."""
    records = tuple(documents(paths.multitask("x").parent, MultitaskRecord))
    if not records:
        return None
    section = Section()
    for record in records:
        section.take(_experiment(record, _lines(paths, record.name)))
    return Part(tuple(map(_in_short, records)), section)


def _lines(paths: Paths, name: str) -> list[CellLine]:
    path = paths.multitask(name).with_suffix(".jsonl")
    return [checked(row, CellLine, f"{path}:{line}") for line, row in enumerate(read_jsonl(path), start=1)]


def _experiment(record: MultitaskRecord, lines: Sequence[CellLine]) -> Section:
    section = Section()
    section.say(f"## Several tasks `{record.name}`")
    section.take(_what_was_run(record))
    section.say(f"**Scores on the {record.score_on} split**, {KEPT[record.recipe.keep]}")
    section.tabulate(
        ("cell", OVERALL, *(f"{task}, {words(metric)}" for task, metric in record.metrics.items()), "validation"),
        [*(_scores(record, name, one) for name, one in record.cells.items()), _floor(record)],
    )
    epochs: dict[str, list[list[float | None]]] = {}
    for line in lines:
        epochs.setdefault(line.cell, []).append([epoch.validation_score for epoch in line.epochs])
    section.show(
        f"{record.name}-multitask.png",
        f"Overall score of the cells of {record.name}, by epoch and against the seconds of a fit",
        scores_of_cells({name: one.model_dump() for name, one in record.cells.items()}, epochs, record.score_on),
    )
    section.say(f"**Beside `{record.baseline}`**: what each cell costs, and what it scores")
    section.tabulate(
        ("cell", "time of a fit", "time saved", "score kept", "difference", "parameters", "learning"),
        [_relation(name, one) for name, one in record.cells.items()],
    )
    section.say(_how_judged(record))
    section.take(_beside_the_paper(record))
    return section


def _what_was_run(record: MultitaskRecord) -> Section:
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
    section.tabulate(("what", "value"), rows)
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


def _scores(record: MultitaskRecord, name: str, one: CellScores) -> list[str]:
    tasks = (one.tasks.get(task) for task in record.metrics)
    return [
        f"`{name}`",
        estimate(one.overall) if one.overall else "diverged",
        *(estimate(own) if own else NONE for own in tasks),
        score(one.validation),
    ]


def _floor(record: MultitaskRecord) -> list[str]:
    each = [score(record.floor.get(task)) for task in record.metrics]
    return ["the commonest answer", score(record.floor.get(OVERALL)), *each, NONE]


def _relation(name: str, one: CellScores) -> list[str]:
    gap = one.difference
    return [
        f"`{name}`",
        NONE if one.seconds is None else duration(one.seconds),
        NONE if one.saved is None else f"{one.saved:.0%}",
        NONE if one.kept is None else f"{one.kept:.1%}",
        NONE if gap is None else signed_estimate(gap.mean, gap.low, gap.high),
        _millions(one.n_parameters),
        NONE if one.n_trainable_parameters is None else _millions(one.n_trainable_parameters),
    ]


def _millions(n: int) -> str:
    return f"{n / 1e6:.1f} M" if n >= 50_000 else f"{n:,}"


def _how_judged(record: MultitaskRecord) -> str:
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


def _beside_the_paper(record: MultitaskRecord) -> Section:
    section = Section()
    known = {name: PUBLISHED[name] for name in record.cells if name in PUBLISHED}
    tasks = list(record.metrics)
    if known:
        section.say(f"**Beside the paper** (minBERT multi-task, {TABLES})")
        section.tabulate(
            (
                "cell",
                *(f"{what}, {whose}" for what in (OVERALL, *tasks) for whose in ("paper", "ours")),
                "paper's size",
            ),
            [list(_published(record, name)) for name in known],
        )
    remarks = [REMARKS[name] for name in record.cells if name in REMARKS]
    if known or remarks:
        section.say(
            *remarks,
            "Theirs is BERT-base on all of the data; encoder and sizes of ours stand above. Their scores are on "
            "the split that chose the epoch, which flatters them; what ours score there is under `validation`.",
        )
    return section


def _published(record: MultitaskRecord, name: str) -> Iterator[str]:
    theirs, ours = PUBLISHED[name], record.cells[name]
    yield f"`{name}`"
    yield from (score(theirs.overall), score(ours.overall.mean if ours.overall else None))
    for task in record.metrics:
        own = ours.tasks.get(task)
        yield from (score(theirs.of(task)), score(own.mean if own else None))
    yield NONE if theirs.n_millions is None else f"{theirs.n_millions:.1f} M"


def _in_short(record: MultitaskRecord) -> str:
    scored = {name: one for name, one in record.cells.items() if one.overall}
    if not scored:
        return f"Several tasks **`{record.name}`**: every fit diverged."
    best, one = max(scored.items(), key=lambda item: item[1].overall.mean if item[1].overall else 0.0)
    said = f"highest overall {estimate(one.overall) if one.overall else NONE} with `{best}`"
    quick = [
        f"`{name}` keeps {own.kept:.0%} of the score of `{record.baseline}` in {own.saved:.0%} less time"
        for name, own in scored.items()
        if own.saved is not None and own.kept is not None and own.saved >= 0.1
    ]
    return f"Several tasks **`{record.name}`**: {'; '.join([said, *quick])}."
