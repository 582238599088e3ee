"""Stage `multitask`: fit a mixture under each cell's recipe, and lay side by side what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.data.mixture import AnySample, facts_of, load_any_sample
from finetune_alf.encoder.spec import EncoderSpec
from finetune_alf.errors import EncoderError, InputError
from finetune_alf.experiments.multitask.cells import OVERALL, Cell, cell_job, cell_record, cells
from finetune_alf.experiments.multitask.spec import MultitaskSpec
from finetune_alf.experiments.multitask.table import Truths, cells_table, floor
from finetune_alf.files import write_json, write_jsonl
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.plans import task_plans
from finetune_alf.running.bench import encoder_spec_of, workbench_of
from finetune_alf.running.context import Context
from finetune_alf.running.fitter import Fitter, Shown
from finetune_alf.running.mirrored import Runs, parent_run
from finetune_alf.train.job import FitJob, Workbench
from finetune_alf.train.ledger import Ledger
from finetune_alf.train.result import FitResult

Fits = Sequence[tuple[Cell, FitResult]]


def multitask(ctx: Context, name: str) -> None:
    """Do the fits of `multitask.<name>` that are not done yet, and write its cells and its table."""
    spec = ctx.mixing(name)
    with ctx.lock("multitask"):
        mix = _open(ctx, name, spec)
        with parent_run(ctx, f"multitask/{name}", f"multitask {name}", {**mix.tags, "alf.multitask": name}) as runs:
            fits = _fill(ctx, mix, cells(spec), runs)
            table = _write(ctx, mix, fits)
            runs.metrics.update({f"{cell}.{OVERALL}": score for cell, score in _scores(table).items()})
    best = ", ".join(f"{cell} {score:.3f}" for cell, score in _scores(table).items())
    ctx.teller.say(f"{name}, overall: {best or 'every fit diverged'}")


@dataclass(frozen=True)
class _Mix:
    """What the fits of an experiment need; `n_layers` is the encoder's, `identity` says which one it is."""

    name: str
    spec: MultitaskSpec
    sample: AnySample
    encoder_spec: EncoderSpec
    identity: str
    n_layers: int
    workbench: Workbench

    @property
    def tags(self) -> dict[str, str]:
        return {
            "alf.encoder": self.identity,
            "alf.sample": self.sample.name,
            "alf.sample.digest": self.sample.card.digest,
        }

    @property
    def truths(self) -> Truths:
        return {task: sample.splits[self.spec.score_on].labels for task, sample in self.sample.tasks.items()}


def _open(ctx: Context, name: str, spec: MultitaskSpec) -> _Mix:
    """Load encoder and mixture, and check that they suit every cell.

    Raises DataError, naming the stage to run, when the mixture is not there, EncoderError for the encoder, and
    InputError, naming the cell, for a recipe that does not suit them.
    """
    folder = ctx.paths.sample(spec.sample)
    sample, encoder_spec = load_any_sample(folder), encoder_spec_of(ctx, spec.encoder)
    workbench = workbench_of(ctx, {sample.card.digest: folder})
    for cell, recipe in spec.recipes().items():
        try:
            encoder = workbench.encoder_for(encoder_spec, recipe, sample)
            recipe.rates.at(encoder.n_layers)
        except EncoderError:
            raise
        except InputError as error:
            raise type(error)(f"multitask.{name}, cell {cell}: {error}") from None
    return _Mix(name, spec, sample, encoder_spec, encoder.identity, encoder.n_layers, workbench)


def _fill(ctx: Context, mix: _Mix, grid: Mapping[str, Cell], runs: Runs) -> Fits:
    """Do the cells; each is a line of the results as soon as it is done.

    All experiments share one ledger: a cell that two of them have, their baseline say, is fitted once.
    """
    jobs = [cell_job(key, cell, mix.spec, mix.encoder_spec, mix.sample.card.digest) for key, cell in grid.items()]
    split, path = mix.spec.score_on, ctx.paths.multitask(mix.name).with_suffix(".jsonl")

    def show(job: FitJob, result: FitResult) -> Shown:
        cell, tasks = grid[job.key], result.tasks or {}
        each = {f"{split}.{task}.{one.metric}": one.score for task, one in tasks.items()}
        tags = {**mix.tags, "alf.cell": cell.name, "alf.seed": str(cell.seed)}
        return Shown({f"{split}.{OVERALL}": result.score, **each}, tags)

    def line(job: FitJob, result: FitResult) -> dict[str, Any]:
        return cell_record(grid[job.key], result, mix.n_layers)

    with ctx.teller.bar(f"multitask {mix.name}", len(jobs)) as bar:
        ledger = Ledger(ctx.paths.ledger("multitask"))
        fitter = Fitter(ctx, f"multitask-{mix.name}", ledger, mix.workbench, mix.n_layers, runs, bar)
        results = fitter.fill(path, jobs, show, line)
    return [(cell, results[key]) for key, cell in grid.items()]


def _write(ctx: Context, mix: _Mix, fits: Fits) -> dict[str, dict[str, Any]]:
    """Write the cells, in the order of the grid, and the table."""
    path, spec = ctx.paths.multitask(mix.name), mix.spec
    by_cell: dict[str, dict[int, FitResult]] = {}
    for cell, fit in fits:
        by_cell.setdefault(cell.name, {})[cell.seed] = fit
    table = cells_table(spec, mix.truths, by_cell)
    for name, recipe in spec.recipes().items():
        table[name]["n_parameters"] = _n_parameters(mix, recipe)
    write_jsonl(path.with_suffix(".jsonl"), [cell_record(cell, fit, mix.n_layers) for cell, fit in fits])
    write_json(path, _document(mix, fits, table))
    return table


def _document(mix: _Mix, fits: Fits, table: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    spec, card = mix.spec, mix.sample.card
    tasks = spec.recipe.tasks
    assert tasks  # noqa: S101 - the spec checks it
    plans = task_plans(spec.recipes()[spec.baseline], facts_of(mix.sample), OVERALL)
    metrics = {task: plan.metric for task, plan in plans.items()}
    return {
        "name": mix.name,
        "encoder": {"name": spec.encoder, "identity": mix.identity, "n_layers": mix.n_layers},
        "sample": {"name": mix.sample.name, "digest": card.digest, "counts": card.counts},
        "recipe": spec.recipe.model_dump(mode="json"),
        "vary": spec.vary,
        "baseline": spec.baseline,
        "score_on": spec.score_on,
        "n_seeds": spec.n_seeds,
        "n_texts": {task: len(truth) for task, truth in mix.truths.items()},
        "metrics": metrics,
        "floor": floor(tasks, mix.truths, metrics),
        "machine": fits[0][1].model_dump(mode="json", include={"device", "precision", "n_threads"}),
        "cells": table,
    }


def _n_parameters(mix: _Mix, recipe: Recipe) -> int:
    encoder = mix.workbench.encoder_for(mix.encoder_spec, recipe, mix.sample)
    return sum(parameter.numel() for parameter in encoder.model.parameters())


def _scores(table: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {cell: row[OVERALL]["mean"] for cell, row in table.items() if row.get(OVERALL)}
