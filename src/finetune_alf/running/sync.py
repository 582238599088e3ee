"""Bring the runs in MLflow to what the project's files say: what waits in the spool, then what the results have."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from finetune_alf.checksums import digest
from finetune_alf.errors import AlfError, InputError, PartialError, TrackingError
from finetune_alf.json_files import read_jsonl
from finetune_alf.register.lock import read_lock
from finetune_alf.report.contents import read_contents
from finetune_alf.report.part import MakePart
from finetune_alf.running.bench import identity_tags, open_bench
from finetune_alf.running.cell_runs import RUN, CellRun, run_of_line
from finetune_alf.running.context import Context, ProgressBar
from finetune_alf.running.parent_run import open_tracker
from finetune_alf.running.register import register_summary
from finetune_alf.running.report_artifacts import attach_report
from finetune_alf.running.study import run_of_trial, study_summary, trial_key
from finetune_alf.running.summary import Summary
from finetune_alf.schedules.names import model_name
from finetune_alf.study.identity import study_identity, study_key
from finetune_alf.study.records import TrialRecord, read_study, read_trials
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.record import RunRecord
from finetune_alf.tracking.replay import NoProgress, finish_spools
from finetune_alf.tracking.spool import is_running, n_waiting, parent_of, spool_stem, spools
from finetune_alf.tracking.views import Columns

_NO_EXPERIMENTS = ("study", "artifacts")
"""The folders of results whose lines are not an experiment's cells."""


def sync(ctx: Context, parts: Sequence[MakePart] = ()) -> None:
    """Write to MLflow what waits in the spool, and what the results have and MLflow has not; runs that are there stay.

    `parts` make the experiments' parts of the report, whose pictures their runs get.
    Raises TrackingError where the store cannot be used, and PartialError, naming what is left, where something is.
    """
    tracker = open_tracker(ctx)
    running = {path for path in spools(ctx.paths.spools) if is_running(path)}
    left = [*_write_spools(ctx, tracker, running), *_write_results(ctx, tracker, set(map(parent_of, running)))]
    left += [f"{parent_of(path)} still runs, and writes its own." for path in sorted(running)]
    if ctx.paths.report.exists():
        try:
            attach_report(ctx, read_contents(ctx.paths, parts))
        except InputError as error:
            left.append(str(error))
    if left:
        raise PartialError(f"Not all is in MLflow. {' '.join(dict.fromkeys(left))}")


def _write_spools(ctx: Context, tracker: MlflowTracker, running: Set[Path]) -> Iterator[str]:
    """Make the calls that wait in the spools of no running stage, and yield what is left."""
    paths = [path for path in spools(ctx.paths.spools) if path not in running]
    total = sum(n_waiting(path, 0) for path in paths)
    with ctx.console.progress("sync: what waits", total) as bar:
        refusals = finish_spools(paths, lambda: tracker, _Shown(bar))
    ctx.console.log(f"{total - refusals.n} records that waited are in MLflow.")
    if refusals.n:
        yield f"The store refused {refusals.n} records: {refusals.reason}"


class _Shown(NoProgress):
    """The Progress of a replay as a bar."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar

    def written(self, position: int) -> None:
        """Show one more."""
        self._bar.advance()


@dataclass(frozen=True)
class _StageRuns:
    """The runs of a stage as its results have them: the parent's, and the nested ones, made when they are needed."""

    key: str
    name: str
    tags: Mapping[str, str]
    nested: tuple[str, ...] = ()
    records: Callable[[], Iterable[RunRecord]] = tuple
    summary: Summary | None = None
    columns: Columns | None = None
    started_ms: int | None = None
    ended_ms: int | None = None


def _write_results(ctx: Context, tracker: MlflowTracker, running: Set[str]) -> Iterator[str]:
    """Write the runs of all results that MLflow has not, but of running stages; yield what is left."""
    readers = [
        *(partial(_of_study, ctx, name) for name in ctx.params.studies),
        *(partial(_of_registration, ctx, name) for name in ctx.params.studies),
        *(partial(_of_lines, path) for path in _files_of_lines(ctx, running)),
    ]
    n_written = 0
    with ctx.console.progress("sync: results", len(readers)) as bar:
        for read in readers:
            try:
                stage = read()
                if stage is not None and spool_stem(stage.key) not in running:
                    n_written += _write_missing(tracker, stage)
            except TrackingError:
                raise
            except AlfError as error:
                yield str(error)
            bar.advance()
    ctx.console.log(f"{n_written} runs of the results were missing in MLflow, and are there now.")


def _write_missing(tracker: MlflowTracker, stage: _StageRuns) -> int:
    """Write the runs of a stage that the store has not, and return their number."""
    ended = tracker.ended_runs(stage.key)
    missing = set(stage.nested) - (ended or set())
    if ended is not None and not missing:
        return 0
    records = [record for record in stage.records() if record.key in missing]
    parent = tracker.start_parent_run(stage.key, stage.name, stage.tags, stage.started_ms)
    if stage.columns is not None:
        tracker.show_columns(stage.columns)
    for record in records:
        tracker.log_run(parent, record)
    summary = stage.summary or Summary("", {})
    tracker.end_parent_run(parent, "FINISHED", summary.metrics, summary.note, stage.ended_ms)
    return len(records) + (ended is None)


def _of_study(ctx: Context, name: str) -> _StageRuns | None:
    folder = ctx.paths.study_results(name)
    if not folder.exists():
        return None
    document, trials = read_study(folder), read_trials(folder / "trials.jsonl")
    key, measure = study_key(name, document.digest), document.metric
    return _StageRuns(
        key,
        f"study {name}",
        {
            **identity_tags(document.encoder.identity, document.sample.name, document.sample.digest),
            "alf.study": name,
        },
        tuple(trial_key(key, trial.number) for trial in trials),
        partial(_trial_runs, ctx, name, document.digest, trials),
        study_summary(measure, trials, document.baseline_rates),
        Columns(tuple(document.recipe.rates_at(document.encoder.n_layers)), (measure,), (measure,)),
        min(trial.started_ms for trial in trials),
        max(trial.ended_ms for trial in trials),
    )


def _trial_runs(ctx: Context, name: str, expected: str, trials: Iterable[TrialRecord]) -> list[RunRecord]:
    """Return the runs of trials. Raises InputError where params.yaml has another study than the results."""
    bench = open_bench(ctx, name)
    identity = study_identity(bench.study, bench.sample.card.digest, bench.encoder.identity, ctx.environment.precision)
    if digest(identity) != expected:
        raise InputError(
            f"studies.{name}: must be the study of {ctx.paths.study_results(name)}, but has changed since. Run the "
            "study, or take back the change."
        )
    key = study_key(name, expected)
    return [run_of_trial(key, name, bench, trial) for trial in trials]


def _of_registration(ctx: Context, name: str) -> _StageRuns | None:
    """Return the runs of a registration; its parent's alone where the results of an earlier version have no fits."""
    path, fits = ctx.paths.schedules(name), ctx.paths.registration_fits(name)
    if not path.exists():
        return None
    key = f"register/{name}"
    found = (_of_lines(fits) if fits.exists() else None) or _StageRuns(key, key.replace("/", " "), {})
    summary = register_summary(read_lock(path), model_name(ctx.project, name))
    return replace(found, tags={"alf.study": name}, summary=summary)


def _files_of_lines(ctx: Context, running: Set[str]) -> list[Path]:
    """Return the files with the cells of experiments, without those that a running stage writes."""
    files = {path.relative_to(ctx.paths.results): path for path in sorted(ctx.paths.results.rglob("*.jsonl"))}
    cells = {own.with_suffix("").as_posix(): path for own, path in files.items() if own.parts[0] not in _NO_EXPERIMENTS}
    return [path for key, path in cells.items() if spool_stem(key) not in running]


def _of_lines(path: Path) -> _StageRuns | None:
    """Return the runs of an experiment's cells; None where its lines are of an earlier version, which have no runs."""
    rows = [row for row in read_jsonl(path) if RUN in row]
    cells = [CellRun.parse(row[RUN], str(path)) for row in rows]
    if not cells:
        return None
    common = dict(set.intersection(*(set(cell.tags.items()) for cell in cells)))
    ended_ms = max(cell.started_ms + round(row["seconds"] * 1000) for cell, row in zip(cells, rows, strict=True))
    parent = cells[0].parent
    return _StageRuns(
        parent,
        parent.replace("/", " "),
        common,
        tuple(cell.key for cell in cells),
        lambda: [run_of_line(row, str(path)) for row in rows],
        Summary(f"From {path.name}, by `finetune-alf sync`.", {}),
        started_ms=min(cell.started_ms for cell in cells),
        ended_ms=ended_ms,
    )
